package program

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const financeSecrets = `{"finance-db":{"host":"db","username":"app","password":"s3cr3t-value"},"finance-secrets":{
	"jwt-secret":"sign-with-me","encryption-key":"k3y","eventstore-connection":"esdb://es:2113?tls=true",
	"cors-origin":"https://app.vextrus.com,https://erp.vextrus.com"}}`

// The stack files of the examples load, preview and warn of nothing but the guard's image.
func TestStackFilesOfExamples(t *testing.T) {
	finance := map[string]string{"secrets": financeSecrets}
	for file, add := range map[string]map[string]string{
		"real-services/Pulumi.unleash.yaml": {}, "real-services/Pulumi.hyperswitch.yaml": {},
		"real-services/Pulumi.podinfo.yaml": {},
		"vextrus-like/Pulumi.week1.yaml":    finance, "vextrus-like/Pulumi.week2.yaml": finance,
		"vextrus-like/Pulumi.week3.yaml": finance, "vextrus-like/Pulumi.week4.yaml": finance,
	} {
		t.Run(file, func(t *testing.T) {
			config := testkit.StackFile(t, filepath.Join("..", "..", "examples", file))
			maps.Copy(config, add)
			s, err := settings.Load("production", config)
			if err != nil {
				t.Fatal(err)
			}
			for _, warning := range s.Warnings() {
				if !strings.Contains(warning, "guard.image is empty") {
					t.Error(warning)
				}
			}
			if suite := s.Smoke.Suite; suite != "finance-service" {
				if _, err := smoke.Load(filepath.Join("..", "..", suite)); err != nil {
					t.Error(err)
				}
			}
			w := newWorld()
			if err := w.run(t, "production", config); err != nil {
				t.Fatalf("preview: %v", err)
			}
			canary := "kubernetes:apps/v1:Deployment/" + s.App + "-" + s.Release
			if s.HasCanary() && w.inputs[canary] == nil {
				t.Errorf("no %s among %v", canary, slices.Sorted(maps.Keys(w.inputs)))
			}
		})
	}
}

// Where a mesh or another scrape counts the requests, the rules find the tracks by its labels.
func TestRulesOfServicesKnownByOtherLabels(t *testing.T) {
	for file, want := range map[string][]string{
		"unleash":     {`pod=~"unleash-week1-[a-z0-9]+-[a-z0-9]+"`, `pod=~"unleash-stable-`, `namespace="unleash"`},
		"hyperswitch": {`destination_workload="hyperswitch-router-week1"`, "0.001 * histogram_quantile("},
		"podinfo":     {`http_request_duration_seconds_count{app="podinfo",namespace="podinfo",path!~"healthz|readyz|metrics|version"}`},
	} {
		config := testkit.StackFile(t, filepath.Join("..", "..", "examples", "real-services", "Pulumi."+file+".yaml"))
		s, err := settings.Load("production", config)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld()
		if err := w.run(t, "production", config); err != nil {
			t.Fatal(err)
		}
		rules := w.inputs["kubernetes:monitoring.coreos.com/v1:PrometheusRule/monitoring-PrometheusRule"]
		text := fmt.Sprint(rules.Mappable())
		for _, word := range want {
			if !strings.Contains(text, word) {
				t.Errorf("%s: no %s in %s", s.App, word, text)
			}
		}
	}
}

// A scrape by https is told to Prometheus and to the guard alike.
func TestScrapesByHTTPS(t *testing.T) {
	config := productionConfig()
	maps.Copy(config, map[string]string{
		"metrics": `{"scheme":"https","tls":{"ca":"pods-ca/ca.crt","serverName":"metrics.internal","insecureSkipVerify":true},` +
			`"scrapeClassicHistograms":true}`,
		"criteria": `{"latency":"off"}`,
	})
	w := newWorld()
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	monitor := "kubernetes:monitoring.coreos.com/v1:ServiceMonitor/monitoring-ServiceMonitor"
	spec := w.inputs[monitor]["spec"].Mappable().(map[string]any)
	endpoint := spec["endpoints"].([]any)[0].(map[string]any)
	want := map[string]any{"insecureSkipVerify": true, "serverName": "metrics.internal",
		"ca": map[string]any{"configMap": map[string]any{"name": "pods-ca", "key": "ca.crt"}}}
	if spec["scrapeClassicHistograms"] != true {
		t.Errorf("the classic histograms are not asked for: %v", spec)
	}
	if diff := cmp.Diff(want, endpoint["tlsConfig"]); diff != "" || endpoint["scheme"] != "https" {
		t.Errorf("%v\n%s", endpoint, diff)
	}
	s, err := settings.Load("production", testkit.Config(config))
	if err != nil {
		t.Fatal(err)
	}
	seen, err := guardConfig(s, "")
	if err != nil || seen.TLS == nil || seen.TLS.ServerName != "metrics.internal" || !seen.TLS.InsecureSkipVerify ||
		seen.TLS.CAFile != "/etc/guard/scrape-ca.pem" {
		t.Errorf("%+v, %v", seen.TLS, err)
	}
	if seen.Spec.Relative == nil || seen.Spec.Relative.Slower != 0 {
		t.Errorf("the comparison with stable asks for a histogram: %+v", seen.Spec.Relative)
	}
	if seen.Latency != 0 || len(seen.Spec.Criteria) != 1 || seen.Validate() != nil {
		t.Errorf("latency %v, criteria %v, %v", seen.Latency, seen.Spec.Criteria, seen.Validate())
	}
}
