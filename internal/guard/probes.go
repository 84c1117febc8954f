package guard

import (
	"cmp"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// probing is how readiness probes find an outage, and its end.
type probing struct {
	// soonest and latest bound the time from the beginning of an outage until a pod is unready, whatever the phase of its
	// probes. recovery is the longest time from the end of the outage, or from a kubelet's restart, until it is ready.
	soonest, latest, recovery time.Duration
}

// probingOf is how the pods of a Deployment are probed; zero where it has no readiness probe.
func probingOf(deployment *appsv1.Deployment) (out probing) {
	if deployment == nil {
		return out
	}
	first := true
	for i := range deployment.Spec.Template.Spec.Containers {
		container := &deployment.Spec.Template.Spec.Containers[i]
		probe := container.ReadinessProbe
		if probe == nil {
			continue
		}
		period, timeout := times(probe)
		failures := time.Duration(cmp.Or(max(probe.FailureThreshold, 0), 3))
		successes := time.Duration(max(probe.SuccessThreshold, 1))
		if soonest := (failures - 1) * period; first || soonest < out.soonest {
			out.soonest = soonest
		}
		first = false
		recovery := period*successes + timeout
		if container.StartupProbe != nil {
			startPeriod, startTimeout := times(container.StartupProbe)
			recovery += startPeriod + startTimeout
		}
		out.latest = max(out.latest, failures*period+timeout)
		out.recovery = max(out.recovery, recovery)
	}
	return out
}

// times are the period and the timeout of a probe, with the API server's defaults for those that are left out.
func times(probe *corev1.Probe) (period, timeout time.Duration) {
	return time.Duration(cmp.Or(max(probe.PeriodSeconds, 0), 10)) * time.Second,
		time.Duration(cmp.Or(max(probe.TimeoutSeconds, 0), 1)) * time.Second
}

// hold is how long a readiness must stay lost before it is judged: a probe period and its timeout. Kubelets probe at
// times of their own, so that the pods of both tracks notice the same outage up to a period apart, and a kubelet that
// restarts needs a period to find its pods ready again, after one of the startup probe. Where the release has probes
// of its own, the hold lasts until those of stable, which may be slower, have noticed an outage as well; but no longer
// than a pod alone may stay unready.
func (p Pods) hold() time.Duration {
	canary := probingOf(p.Deployment)
	hold := max(leastLost, canary.recovery)
	if len(p.Stable) > 0 {
		hold = max(hold, min(probingOf(p.StableDeployment).latest-canary.soonest, aloneFor))
	}
	return hold
}
