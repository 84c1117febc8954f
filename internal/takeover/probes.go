package takeover

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probes are set where they ask the service's own port by HTTP. Others go to the overlay as they are.
func (d *description) probes(port int) {
	probes := object{}
	for name, probe := range map[string]*corev1.Probe{
		"liveness": d.container.LivenessProbe, "readiness": d.container.ReadinessProbe, "startup": d.container.StartupProbe,
	} {
		key := name + "Probe"
		switch {
		case probe == nil && name == "startup":
			probes[name] = object{"failureThreshold": 0}
		case probe == nil:
		case d.isPlain(probe, port):
			probes[name] = plainProbe(probe)
			delete(d.rest, key)
		default:
			if fields, ok := d.rest[key].(object); ok {
				fields["$patch"] = "replace"
			}
			if name == "startup" {
				// A startup probe that is off has no place in the pods that the overlay could change.
				delete(d.rest[key].(object), "$patch")
				probes[name] = object{"failureThreshold": 0}
			}
		}
	}
	if d.container.ReadinessProbe == nil {
		d.note("the container has no readiness probe: probes.readiness of the stack decides when a pod gets requests")
	}
	if d.container.LivenessProbe == nil {
		if readiness, ok := probes["readiness"].(object); ok {
			probes["liveness"] = readiness
			d.note("the container has no liveness probe, and the rollout needs one: it asks what the readiness probe asks")
		}
	}
	d.values["probes"] = probes
}

func (d *description) isPlain(probe *corev1.Probe, port int) bool {
	get := probe.HTTPGet
	if get == nil || get.Host != "" || len(get.HTTPHeaders) > 0 || get.Scheme != "" &&
		get.Scheme != corev1.URISchemeHTTP ||
		probe.SuccessThreshold > 1 || probe.TerminationGracePeriodSeconds != nil {
		return false
	}
	if get.Port.Type == intstr.Int {
		return get.Port.IntValue() == port
	}
	for _, named := range d.container.Ports {
		if named.Name == get.Port.StrVal {
			return int(named.ContainerPort) == port
		}
	}
	return false
}

// plainProbe is a probe as the settings have it. What is left out are the API's defaults.
func plainProbe(probe *corev1.Probe) object {
	orDefault := func(value, otherwise int32) int {
		if value == 0 {
			return int(otherwise)
		}
		return int(value)
	}
	path := probe.HTTPGet.Path
	if path == "" {
		path = "/"
	}
	return object{
		"path": path, "initialDelaySeconds": int(probe.InitialDelaySeconds),
		"periodSeconds":  orDefault(probe.PeriodSeconds, 10),
		"timeoutSeconds": orDefault(probe.TimeoutSeconds, 1), "failureThreshold": orDefault(probe.FailureThreshold, 3),
	}
}

// shutdown is how a pod leaves. A hook that only sleeps becomes the kubelet's own sleep, which needs no shell.
func (d *description) shutdown() {
	grace := 30
	if given := d.workload.Template.Spec.TerminationGracePeriodSeconds; given != nil {
		grace = int(*given)
	}
	shutdown := object{"gracePeriodSeconds": grace}
	lifecycle, _ := d.rest["lifecycle"].(object)
	seconds, sleeps := 0, false
	if d.container.Lifecycle != nil && d.container.Lifecycle.PreStop != nil {
		if seconds, sleeps = slept(d.container.Lifecycle.PreStop); sleeps {
			delete(lifecycle, "preStop")
		} else if hook, ok := lifecycle["preStop"].(object); ok {
			hook["$patch"] = "replace"
		}
	}
	if len(lifecycle) == 0 {
		delete(d.rest, "lifecycle")
	}
	if sleeps && seconds > 0 {
		shutdown["preStopSeconds"] = seconds
	}
	d.values["shutdown"] = shutdown
}

// slept is how long a hook sleeps, where it does nothing else.
func slept(hook *corev1.LifecycleHandler) (seconds int, sleeps bool) {
	if hook.Sleep != nil {
		return int(hook.Sleep.Seconds), true
	}
	if hook.Exec == nil {
		return 0, false
	}
	words := strings.Fields(strings.Join(hook.Exec.Command, " "))
	for len(words) > 0 && (strings.HasSuffix(words[0], "sh") || words[0] == "-c") {
		words = words[1:]
	}
	if len(words) != 2 || !strings.HasSuffix(words[0], "sleep") {
		return 0, false
	}
	seconds, err := strconv.Atoi(strings.TrimSuffix(words[1], "s"))
	return seconds, err == nil
}
