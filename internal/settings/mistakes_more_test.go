package settings

import (
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// mistake is a stack file's slip. The error says each of the words, and ends with a command for the stack.
type mistake struct {
	changes []string
	want    []string
}

func expectMistakes(t *testing.T, mistakes map[string]mistake) {
	t.Helper()
	for name, tt := range mistakes {
		t.Run(name, func(t *testing.T) {
			_, err := Load("production", production(tt.changes...))
			if err == nil {
				t.Fatal("accepted")
			}
			testkit.WantError(t, err, tt.want...)
			for line := range strings.Lines(err.Error()) {
				if !strings.Contains(line, "; to resolve: pulumi config ") || !strings.Contains(line, " -s production") {
					t.Errorf("no command to paste: %s", line)
				}
			}
		})
	}
}

func TestMistakesInUnits(t *testing.T) {
	expectMistakes(t, map[string]mistake{
		"a time in words": {[]string{"bake", `{"duration":"5 minutes"}`},
			[]string{`config bake.duration is "5 minutes"`, "15s, 5m or 48h", "--path bake.duration 5m -s production"}},
		"an abbreviation":   {[]string{"soak", `{"duration":"2 days"}`}, []string{"--path soak.duration 2d -s production"}},
		"half an hour":      {[]string{"soak", `{"duration":"1.5h"}`}, []string{"--path soak.duration 1h30m -s production"}},
		"two parts":         {[]string{"soak", `{"extension":"1h 30m"}`}, []string{"--path soak.extension 1h30m -s production"}},
		"ISO 8601":          {[]string{"bake", `{"interval":"PT15S"}`}, []string{"--path bake.interval 15s -s production"}},
		"an unknown unit":   {[]string{"bake", `{"interval":"3 moons"}`}, []string{`"3 moons"`, "--path bake.interval 15s -s production"}},
		"a negative time":   {[]string{"bake", `{"duration":"-5m"}`}, []string{`"-5m"`, "--path bake.duration 5m -s production"}},
		"a fraction of sec": {[]string{"criteria", `{"latency":0.5}`}, []string{"config criteria.latency", "500ms", "off"}},
		"a percentage with a space": {[]string{"criteria", `{"errorRate":"0.5 %"}`},
			[]string{`"0.5 %"`, "write 0.005", "--path criteria.errorRate 0.005 -s production"}},
		"a decimal comma": {[]string{"criteria", `{"errorRate":"0,005"}`},
			[]string{`"0,005"`, "--path criteria.errorRate 0.005 -s production"}},
		"a point without a zero": {[]string{"criteria", `{"slowShare":".05"}`},
			[]string{"--path criteria.slowShare 0.05 -s production"}},
		"a whole percentage": {[]string{"criteria", `{"slowShare":5}`},
			[]string{`"5"`, "more than 0 and less than 1", "--path criteria.slowShare 0.05 -s production"}},
		"a negative share": {[]string{"criteria", `{"errorRate":-0.01}`}, []string{`"-0.01"`, "more than 0"}},
		"a weight in percent": {[]string{"canaryWeight", "30%"},
			[]string{`"30%"`, "without a percent sign", "config set canaryWeight 30 -s production"}},
		"megabytes": {[]string{"resources", `{"requests":{"memory":"512MB"}}`},
			[]string{`"512MB"`, "500m or 1Gi", "--path resources.requests.memory 512Mi -s production"}},
		"a space in a quantity": {[]string{"resources", `{"limits":{"memory":"2 Gi"}}`},
			[]string{"--path resources.limits.memory 2Gi -s production"}},
		"thousandths of a byte": {[]string{"resources", `{"requests":{"memory":"512m"}}`},
			[]string{`"512m"`, "less than 1 MiB", "--path resources.requests.memory 512Mi -s production"}},
		"memory without a unit": {[]string{"resources", `{"requests":{"memory":512},"limits":{"memory":"2Gi"}}`},
			[]string{`"512"`, "less than 1 MiB"}},
		"thousandths of a processor": {[]string{"resources", `{"requests":{"cpu":500},"limits":{"cpu":""}}`},
			[]string{`"500"`, "whole processors", "--path resources.requests.cpu 500m -s production"}},
		"processors in words": {[]string{"resources", `{"requests":{"cpu":"1 core"}}`},
			[]string{"--path resources.requests.cpu 1 -s production"}},
		"a negative quantity": {[]string{"resources", `{"requests":{"cpu":"-500m"}}`}, []string{`"-500m"`, "negative"}},
		"a size of /tmp":      {[]string{"tmpSize", "64MB"}, []string{`"64MB"`, "64Mi", "set tmpSize 64Mi -s production"}},
	})
}

func TestMistakesInTypes(t *testing.T) {
	expectMistakes(t, map[string]mistake{
		"a word for true": {[]string{"guard", `{"dryRun":"yes"}`},
			[]string{`config guard.dryRun is "yes"`, "true or false", "--path guard.dryRun true -s production"}},
		"a word for false": {[]string{"staging", `{"required":"no"}`},
			[]string{`"no"`, "--path staging.required false -s production"}},
		"a number for a switch": {[]string{"guard", `{"enabled":0}`}, []string{`"0"`, "--path guard.enabled false -s production"}},
		"one port for a list": {[]string{"network", `{"egressPorts":5432}`},
			[]string{`"5432"`, "a list is needed", "pulumi config rm --path network.egressPorts -s production && " +
				"pulumi config set --path 'network.egressPorts[0]' 5432 -s production"}},
		"ports in one text": {[]string{"network", `{"egressPorts":"5432,9092"}`},
			[]string{`"5432,9092"`, "--path 'network.egressPorts[1]' 9092 -s production"}},
		"a port with a protocol": {[]string{"network", `{"egressPorts":["8125/UDP"]}`},
			[]string{`"8125/UDP"`, "whole number", "--path 'network.egressPorts[0]' 8125 -s production"}},
		"one folder for a list": {[]string{"writable", "/app/logs"},
			[]string{`config writable is "/app/logs"`, "a list is needed", "--path 'writable[0]' /app/logs -s production"}},
		"stages in one text": {[]string{"stages", "10,30,60,100"},
			[]string{`config stages is "10,30,60,100"`, "a list is needed", "--path 'stages[3]' 100 -s production"}},
		"stages in percent": {[]string{"stages", `["10%","100%"]`},
			[]string{`config stages[1] is "100%"`, "--path 'stages[1]' 100 -s production"}},
		"a number with a word": {[]string{"replicas", "10 pods"},
			[]string{`"10 pods"`, "whole number", "set replicas 10 -s production"}},
		"a fraction of a pod": {[]string{"replicas", "2.5"}, []string{`"2.5"`, "whole number", "-s production"}},
		"a week by its name":  {[]string{"week", "week2"}, []string{`"week2"`, "set week 2 -s production"}},
		"a negative count":    {[]string{"replicas", "-3"}, []string{`"-3"`, "1 to 1000", "set replicas 10 -s production"}},
		"the environment of a pod": {[]string{"env", `[{"name":"LOG_FORMAT","value":"json"}]`},
			[]string{"config env", "{NAME: VALUE}", "pulumi config rm env -s production && " +
				"pulumi config set --path env.LOG_FORMAT json -s production"}},
		"an object for a variable": {[]string{"configEnv", `{"A":{"b":"c"}}`},
			[]string{"config configEnv.A", "a text is needed", "--path configEnv.A VALUE -s production"}},
		"an object for a name": {[]string{"guard", `{"image":{"repository":"a","tag":"b"}}`},
			[]string{"config guard.image", "a text is needed", "--path guard.image VALUE -s production"}},
		"half an object":    {[]string{"probes", `{"liveness":`}, []string{"config probes", "not a valid object"}},
		"a text for object": {[]string{"bake", `"5m"`}, []string{`config bake is "5m"`, "an object is needed"}},
		"a probe that never asks": {[]string{"probes", `{"liveness":{"periodSeconds":0}}`},
			[]string{`config probes.liveness.periodSeconds is "0"`, "at least 1", "--path probes.liveness.periodSeconds 10"}},
		"a negative delay": {[]string{"probes", `{"readiness":{"initialDelaySeconds":-5}}`},
			[]string{`config probes.readiness.initialDelaySeconds is "-5"`, "at least 0"}},
		"a port out of range": {[]string{"containerPort", "99999"},
			[]string{`"99999"`, "1 to 65535", "set containerPort 3014 -s production"}},
		"a port of an element": {[]string{"network", `{"egressPorts":[0]}`},
			[]string{`config network.egressPorts[0] is "0"`, "rm --path 'network.egressPorts[0]' -s production"}},
		"more warm pods than pods": {[]string{"replicas", "1", "stages", "[100]"},
			[]string{`config warmStable is "2"`, "0 to replicas, which is 1", "set warmStable 1 -s production"}},
	})
}

func TestMistakesInKeys(t *testing.T) {
	expectMistakes(t, map[string]mistake{
		"a field without --path": {[]string{"bake.duration", "300s"},
			[]string{"config bake.duration: no such key", "--path", "pulumi config rm bake.duration -s production && " +
				"pulumi config set --path bake.duration 300s -s production"}},
		"a secret's field without --path": {[]string{"registry.password", "s3cr3t-value"},
			[]string{"config registry.password", "set --secret --path registry.password -s production"}},
		"another word for a key": {[]string{"stableimages", "a:1"}, []string{"did you mean stableImage?"}},
		"a key of nothing": {[]string{"helmChartVersion", "3"},
			[]string{"config helmChartVersion", "no such key; allowed are", "rm helmChartVersion -s production"}},
		"a field two levels down": {[]string{"resources", `{"requests":{"cpus":"1"}}`},
			[]string{"config resources.requests.cpus", "did you mean cpu?", "rm --path resources.requests.cpus -s production"}},
		"a field three levels down": {[]string{"canary", `{"probes":{"readiness":{"periodSecond":1}}}`},
			[]string{"config canary.probes.readiness.periodSecond", "did you mean periodSeconds?"}},
		"a field in a list": {[]string{"notify", `{"webhooks":[{"addr":"https://a.example.com"}]}`},
			[]string{"config notify.webhooks[0].addr", "rm --path 'notify.webhooks[0].addr' -s production"}},
		"a field of a pod": {[]string{"pod", `{"spec":{"containers":[{"name":"finance","imagePullPolcy":"Always"}]}}`},
			[]string{"config pod.spec.containers[0].imagePullPolcy", "did you mean imagePullPolicy?", "-s production"}},
		"a pod's field in another case": {[]string{"pod", `{"spec":{"nodeselector":{"a":"b"}}}`},
			[]string{"config pod.spec.nodeselector", "did you mean nodeSelector?"}},
		"a number as a text in a pod": {[]string{"pod", `{"spec":{"terminationGracePeriodSeconds":"30"}}`},
			[]string{`config pod.spec.terminationGracePeriodSeconds is "30"`, "whole number",
				"--path pod.spec.terminationGracePeriodSeconds 30 -s production"}},
		"a service's type in lower case": {[]string{"service", `{"type":"nodeport"}`},
			[]string{`"nodeport"`, "ClusterIP, NodePort, LoadBalancer", "--path service.type NodePort -s production"}},
		"a strategy in upper case":  {[]string{"strategy", "Single"}, []string{`"Single"`, "set strategy single -s production"}},
		"a traffic of another kind": {[]string{"traffic", "Gateways"}, []string{`"Gateways"`, "set traffic gateway -s production"}},
	})
}

func TestMistakesInNames(t *testing.T) {
	long := strings.Repeat("a", 70)
	expectMistakes(t, map[string]mistake{
		"upper case": {[]string{"app", "FinanceService"},
			[]string{`"FinanceService"`, "lower case letters", "set app financeservice -s production"}},
		"dots": {[]string{"namespace", "vextrus.production"},
			[]string{"set namespace vextrus-production -s production"}},
		"an underscore": {[]string{"serviceName", "finance_service"},
			[]string{"set serviceName finance-service -s production"}},
		"too long": {[]string{"namespace", long},
			[]string{"at most 63", "set namespace " + long[:63] + " -s production"}},
		"a digit first": {[]string{"release", "7days"}, []string{"set release v7days -s production"}},
		"a dash last":   {[]string{"stableVersion", "v1-"}, []string{`"v1-"`, "set stableVersion v1 -s production"}},
		"a slash":       {[]string{"release", "feature/new-tax"}, []string{"set release feature-new-tax -s production"}},
		"a histogram for its buckets": {[]string{"metrics", `{"durationBucket":"http_request_duration_seconds"}`},
			[]string{`config metrics.durationBucket is "http_request_duration_seconds"`, "_bucket",
				"--path metrics.durationBucket http_request_duration_seconds_bucket -s production"}},
		"a count for the buckets": {[]string{"metrics", `{"durationBucket":"a_seconds_count"}`},
			[]string{"--path metrics.durationBucket a_seconds_bucket -s production"}},
		"buckets for the requests": {[]string{"metrics", `{"requestsTotal":"a_seconds_bucket"}`},
			[]string{`"a_seconds_bucket"`, "--path metrics.requestsTotal a_seconds_count -s production"}},
		"a sum for the requests": {[]string{"metrics", `{"requestsTotal":"a_seconds_sum"}`},
			[]string{"--path metrics.requestsTotal a_seconds_count -s production"}},
		"a label with a dash": {[]string{"metrics", `{"statusLabel":"status-code"}`},
			[]string{`"status-code"`, "letters, digits", "--path metrics.statusLabel code -s production"}},
		"a metric with a space": {[]string{"metrics", `{"requestsTotal":"http requests"}`},
			[]string{"--path metrics.requestsTotal http_requests_total -s production"}},
	})
}

// Logins of Prometheus' own configuration that this one does not have come with what does their work.
func TestMistakesInLogins(t *testing.T) {
	expectMistakes(t, map[string]mistake{
		"SigV4": {[]string{"prometheusAuth", `{"sigv4":{"region":"eu-west-1"}}`},
			[]string{"config prometheusAuth.sigv4", "aws-sigv4-proxy", "docs/metrics.md",
				"pulumi config rm --path prometheusAuth.sigv4 -s production && " +
					"pulumi config set prometheus NAMESPACE/SERVICE:PORT -s production"}},
		"SigV4 of the Alertmanager": {[]string{"alertmanagerAuth", `{"sigv4":{}}`},
			[]string{"aws-sigv4-proxy", "set --path guard.alertmanager NAMESPACE/SERVICE:PORT -s production"}},
		"a workspace of Amazon": {[]string{"prometheus", "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1"},
			[]string{"config prometheus", "signed for AWS alone", "set prometheus NAMESPACE/SERVICE:PORT -s production"}},
		"Azure": {[]string{"prometheusAuth", `{"azuread":{"cloud":"AzurePublic"}}`}, []string{"config prometheusAuth.azuread", "a proxy"}},
		"a token": {[]string{"prometheusAuth", `{"bearer_token":"s3cr3t-value"}`},
			[]string{"config prometheusAuth.bearer_token", "set --secret --path secrets.NAME.KEY -s production",
				"prometheusAuth.authorization.credentials NAME/KEY -s production"}},
		"a file": {[]string{"prometheusAuth", `{"basic_auth":{"username":"a","password_file":"/etc/p"}}`},
			[]string{"config prometheusAuth.basic_auth.password_file", "did you mean password?"}},
	})
	_, err := Load("production", production("prometheusAuth", `{"bearer_token":"s3cr3t-value"}`))
	if strings.Contains(err.Error(), "s3cr3t-value") {
		t.Errorf("the error shows the token: %v", err)
	}
	other := production("prometheus", "https://prometheus.aps-workspaces.example.com")
	if _, err := Load("production", other); err != nil {
		t.Errorf("another server is refused: %v", err)
	}
}

var pasted = regexp.MustCompile(`pulumi config set (\w+) (\S+) -s production`)

// Whatever the number of pods, each command of the refusal resolves it.
func TestReplicasThatFitNoStage(t *testing.T) {
	for replicas := 1; replicas <= 7; replicas++ {
		stack := []string{"replicas", strconv.Itoa(replicas), "warmStable", "0"}
		_, err := Load("production", production(stack...))
		if err == nil {
			t.Errorf("%d pods carry 10 %%", replicas)
			continue
		}
		commands := pasted.FindAllStringSubmatch(err.Error(), -1)
		if len(commands) == 0 {
			t.Errorf("%d pods: no command: %v", replicas, err)
		}
		for _, command := range commands {
			config := production(stack...)
			maps.Copy(config, map[string]string{command[1]: strings.Trim(command[2], "'")})
			if _, err := Load("production", config); err != nil {
				t.Errorf("%d pods, after %q: %v", replicas, command[0], err)
			}
		}
		wantStages := map[int]string{2: "[50,100]", 4: "[25,50,75,100]", 5: "[20,40,60,100]", 6: "[50,100]"}[replicas]
		if wantStages != "" && !strings.Contains(err.Error(), "set stages '"+wantStages+"'") {
			t.Errorf("%d pods: %v", replicas, err)
		}
	}
}
