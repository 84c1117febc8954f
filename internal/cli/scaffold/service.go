// Package scaffold writes the first stack files, smoke suite and policy settings of a service. It decides by data: what
// runs in the cluster and what the operator said become a Service, and a Service becomes files.
package scaffold

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// Service is what the files are written from.
type Service struct {
	// App is the service's name; Namespace is that of production.
	App, Namespace string
	// Image is the image that runs; empty where it is not known yet.
	Image string
	Port  int
	// Replicas are the pods that all requests need.
	Replicas int
	// LivePath and ReadyPath are the paths of the probes.
	LivePath, ReadyPath string
	User                int
	Env                 map[string]string
	// Secrets are variables from Secrets that exist, each as NAME/KEY; EnvFrom are whole ones.
	Secrets   map[string]string
	EnvFrom   []settings.EnvSource
	Resources map[string]map[string]string
	// MetricsPath is that of the scrape, MetricsPort its port; 0 for Port.
	MetricsPath string
	MetricsPort int
	// Requests is the counter of requests and Status its label; Durations the histogram, empty for none.
	Requests, Status, Durations string
	// Unit is that of the histogram's bounds: s, ms or us.
	Unit string
	// Exclude are the paths that count no request of a customer, by their label.
	Exclude map[string]string
	// Prometheus is the server that the gates ask.
	Prometheus string
	// Notes are what was found in the cluster and not taken over.
	Notes []string
}

// Default is a service of which nothing is known but its name.
func Default(app string) Service {
	defaults := settings.Defaults()
	return Service{
		App: app, Namespace: app, Port: 8080, Replicas: defaults.Replicas, LivePath: "/healthz", ReadyPath: "/readyz",
		User: settings.DefaultUser().RunAsUser, MetricsPath: defaults.Metrics.Path,
		Requests: defaults.Metrics.RequestsTotal, Status: defaults.Metrics.StatusLabel,
		Durations: defaults.Metrics.DurationBucket, Unit: string(defaults.Metrics.DurationUnit),
		Exclude: defaults.Metrics.Exclude.Patterns, Prometheus: "monitoring/prometheus-operated:9090",
		Resources: map[string]map[string]string{
			"requests": {"cpu": string(defaults.Resources.Requests.CPU), "memory": string(defaults.Resources.Requests.Memory)},
			"limits":   {"cpu": "", "memory": string(defaults.Resources.Limits.Memory)},
		},
	}
}

// Validate returns an error that names every value from which no stack can be made, and its flag.
func (s Service) Validate() error {
	var problems []error
	bad := func(flag string, value any, format string, args ...any) {
		problems = append(problems, fmt.Errorf("--%s is %q: %s", flag, fmt.Sprint(value), fmt.Sprintf(format, args...)))
	}
	for flag, name := range map[string]string{"app": s.App, "namespace": s.Namespace} {
		if messages := validation.IsDNS1123Label(name); len(messages) > 0 {
			bad(flag, name, "%s", messages[0])
		}
	}
	if s.Port < 1 || s.Port > 65535 {
		bad("port", s.Port, "allowed are 1 to 65535")
	}
	if s.Replicas < 1 {
		bad("replicas", s.Replicas, "at least 1 is needed")
	}
	for flag, path := range map[string]string{"live": s.LivePath, "ready": s.ReadyPath, "metrics-path": s.MetricsPath} {
		if !strings.HasPrefix(path, "/") {
			bad(flag, path, "it must begin with /")
		}
	}
	return errors.Join(problems...)
}

// pods is the number of replicas that all stages of the usual weights can express.
func (s Service) pods() int {
	const step = 10
	return (s.Replicas + step - 1) / step * step
}

// ports are those that the environment leads to.
func (s Service) ports() []int {
	open := []int{}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		for _, port := range settings.LeadsTo(name, s.Env[name]) {
			if !slices.Contains(open, int(port)) {
				open = append(open, int(port))
			}
		}
	}
	return open
}

// Take takes over what a Deployment shows: the image, the port, the probes, the resources and the environment of the
// container that is named like the service, or of the only one.
func (s Service) Take(deployment *appsv1.Deployment) (Service, error) {
	spec := deployment.Spec.Template.Spec
	containers := spec.Containers
	at := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == s.App })
	if at < 0 && len(containers) == 1 {
		at = 0
	}
	if at < 0 {
		var containerNames []string
		for i := range containers {
			containerNames = append(containerNames, containers[i].Name)
		}
		return s, fmt.Errorf("deployment %s/%s has the containers %s and none named %s: name the service by --app",
			deployment.Namespace, deployment.Name, strings.Join(containerNames, ", "), s.App)
	}
	container := containers[at]
	s.Image, s.Namespace = container.Image, deployment.Namespace
	if deployment.Spec.Replicas != nil && *deployment.Spec.Replicas > 0 {
		s.Replicas = int(*deployment.Spec.Replicas)
	}
	if len(container.Ports) > 0 {
		s.Port = int(container.Ports[0].ContainerPort)
	}
	s.probes(container)
	s.resources(container.Resources)
	s.environment(container)
	for _, context := range []*int64{userOf(spec.SecurityContext), containerUser(container.SecurityContext)} {
		if context != nil && *context > 0 {
			s.User = int(*context)
		}
	}
	if len(containers) > 1 || len(spec.InitContainers) > 0 || len(spec.Volumes) > 0 {
		s.Notes = append(s.Notes, "the Deployment has further containers, init containers or volumes: write them into `pod`, "+
			"as docs/your-service.md shows")
	}
	if len(container.Command) > 0 || len(container.Args) > 0 {
		s.Notes = append(s.Notes, "the Deployment has a command or arguments of its own: write them into `command` and `args`")
	}
	return s, nil
}

func userOf(context *corev1.PodSecurityContext) *int64 {
	if context == nil {
		return nil
	}
	return context.RunAsUser
}

func containerUser(context *corev1.SecurityContext) *int64 {
	if context == nil {
		return nil
	}
	return context.RunAsUser
}

func (s *Service) probes(container corev1.Container) {
	for probe, path := range map[*corev1.Probe]*string{
		container.LivenessProbe: &s.LivePath, container.ReadinessProbe: &s.ReadyPath,
	} {
		switch {
		case probe == nil:
		case probe.HTTPGet != nil && probe.HTTPGet.Path != "":
			*path = probe.HTTPGet.Path
		default:
			s.Notes = append(s.Notes, "a probe of the Deployment asks no HTTP path: write it into `pod`")
		}
	}
}

func (s *Service) resources(given corev1.ResourceRequirements) {
	for part, list := range map[string]corev1.ResourceList{"requests": given.Requests, "limits": given.Limits} {
		amounts := maps.Clone(s.Resources[part])
		if part == "limits" {
			amounts["cpu"] = "" // without a limit on CPU unless there is one
		}
		for name, quantity := range list {
			if name == corev1.ResourceCPU || name == corev1.ResourceMemory {
				amounts[string(name)] = quantity.String()
			}
		}
		s.Resources = maps.Clone(s.Resources)
		s.Resources[part] = amounts
	}
}

// credential are the names of variables whose plain value belongs into a secret.
var credential = regexp.MustCompile(`(?i)(PASSWORD|SECRET|TOKEN|PRIVATE|API_?KEY|ENCRYPTION_KEY|CREDENTIAL)`)

// environment takes the plain variables and the references over. A value that looks like a credential is not written
// down: a stack's file is no place for it.
func (s *Service) environment(container corev1.Container) {
	s.Env, s.Secrets = map[string]string{}, map[string]string{}
	for _, variable := range container.Env {
		switch source := variable.ValueFrom; {
		case source == nil && (credential.MatchString(variable.Name) || strings.Contains(variable.Value, "@")):
			s.Notes = append(s.Notes, fmt.Sprintf("%s may be a credential and was not written: put it into a Secret, and "+
				"refer to it by existingSecretEnv", variable.Name))
		case source == nil:
			s.Env[variable.Name] = variable.Value
		case source.SecretKeyRef != nil:
			s.Secrets[variable.Name] = source.SecretKeyRef.Name + "/" + source.SecretKeyRef.Key
		default:
			s.Notes = append(s.Notes, fmt.Sprintf("%s comes from neither a value nor a Secret: write it into `pod`", variable.Name))
		}
	}
	for _, source := range container.EnvFrom {
		given := settings.EnvSource{Prefix: source.Prefix}
		if source.SecretRef != nil {
			given.SecretRef = source.SecretRef.Name
		}
		if source.ConfigMapRef != nil {
			given.ConfigMapRef = source.ConfigMapRef.Name
		}
		s.EnvFrom = append(s.EnvFrom, given)
	}
}
