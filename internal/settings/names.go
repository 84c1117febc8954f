package settings

import (
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vextrus/finance-rollout/internal/names"
)

// longestDeployment is the longest name of a Deployment that its pods carry in full: Kubernetes cuts the rest of a
// pod's name before it adds 5 characters of its own.
const longestDeployment = 57

func (s *Settings) validateNames(errs *problems) {
	before := len(errs.list)
	for _, name := range []struct{ key, value string }{
		{"environment", s.Environment}, {"app", s.App}, {"serviceName", s.ServiceName}, {"namespace", s.Namespace},
		{"release", s.Release}, {"stableVersion", s.StableLabel},
	} {
		if len(validation.IsDNS1035Label(name.value)) > 0 {
			errs.add(name.key, name.value, errs.set(name.key, suggestedName(name.value)),
				"allowed are at most %d lower case letters, digits and -, beginning with a letter and not ending with -",
				validation.DNS1035LabelMaxLength)
		}
	}
	if s.Cluster != "" && !clusterUID.MatchString(s.Cluster) {
		errs.add("cluster", s.Cluster, errs.remove("cluster"), "the UID of the cluster's namespace kube-system is "+
			"needed, as `kubectl get namespace kube-system -o jsonpath={.metadata.uid}` prints it")
	}
	oneOf(errs, "strategy", s.Strategy, StrategyCanary, StrategySingle)
	if len(errs.list) == before && !s.IsSingle() {
		s.validateDeployments(errs)
	}
}

// validateDeployments keeps the names of a rollout's Deployments and Services apart from each other.
func (s *Settings) validateDeployments(errs *problems) {
	stable, canary := names.StableDeployment(s.App), names.CanaryDeployment(s.App, s.Release)
	key, value, fix := "release", s.Release, errs.set("release", "week"+strconv.Itoa(s.Week))
	if s.kept {
		// Everything but the name can change: the release lives under it.
		key, value, fix = "stableVersion", s.StableLabel, errs.set("stableVersion", names.Stable)
	}
	switch {
	case len(stable) > longestDeployment:
		errs.add("app", s.App, errs.set("app", "NAME"),
			"at most %d characters, so that the pods of %s carry its whole name", longestDeployment-len(stable)+len(s.App),
			stable)
	case len(canary) > longestDeployment && s.kept:
		errs.add("app", s.App, errs.set("app", "NAME"),
			"the Deployment %s of the release on trial is longer than the %d characters that its pods carry of its name",
			canary, longestDeployment)
	case len(canary) > longestDeployment:
		errs.add("release", s.Release, errs.set("release", "NAME"),
			"the canary's Deployment %s is longer than the %d characters that its pods carry of its name", canary,
			longestDeployment)
	case s.Release == s.StableLabel:
		errs.add(key, value, fix, "the canary %q needs another name than the stable track's version %q", s.Release,
			s.StableLabel)
	case canary == stable, canary == names.Guard(s.App):
		errs.add("release", s.Release, fix, "the canary needs another name: the Deployment %s is the %s", canary,
			map[bool]string{true: "stable track", false: "guard"}[canary == stable])
	}
	s.validateServices(errs)
}

// validateServices keeps the Services apart that are named after the app and after the Service in front of the pods,
// and their names within what Kubernetes allows.
func (s *Settings) validateServices(errs *problems) {
	guard, webhook := names.Guard(s.App), names.GuardWebhook(s.App)
	composed := []struct{ key, value, name string }{}
	if s.IsGuarded() && s.Guard.WebhookToken != (SecretRef{}) {
		composed = append(composed, struct{ key, value, name string }{"app", s.App, webhook})
	}
	if s.IsGateway() {
		for _, track := range []string{names.Stable, names.Canary} {
			composed = append(composed,
				struct{ key, value, name string }{"serviceName", s.ServiceName, names.TrackService(s.ServiceName, track)})
		}
	}
	for _, service := range composed {
		if over := len(service.name) - validation.DNS1035LabelMaxLength; over > 0 {
			errs.add(service.key, service.value, errs.set(service.key, "NAME"),
				"at most %d characters, so that the name of the Service %s has no more than %d", len(service.value)-over,
				service.name, validation.DNS1035LabelMaxLength)
			break
		}
	}
	switch s.ServiceName {
	case guard:
		errs.add("serviceName", s.ServiceName, errs.set("serviceName", s.App), "the guard has that Service")
	case webhook:
		errs.add("serviceName", s.ServiceName, errs.set("serviceName", s.App),
			"the guard's webhook has that Service")
	}
}

// clusterUID is what a cluster makes up as the UID of a namespace.
var clusterUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// suggestedName makes a valid name of a text, such as v2-0-0 of 2.0.0; NAME when nothing is left of it.
func suggestedName(text string) string {
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		name = "v" + name
	}
	if len(name) > validation.DNS1035LabelMaxLength {
		name = strings.Trim(name[:validation.DNS1035LabelMaxLength], "-")
	}
	if name == "" {
		return "NAME"
	}
	return name
}
