package diagnose

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// up is the state of a healthy dependency.
const up = "up"

// dependencies reports dependencies that the pods cannot use: from their health reports, which see the pod's own
// network, or from their logs where there is no report.
func dependencies(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		lines := current(pod)
		if pod.Health == nil || len(pod.Health.Dependencies) == 0 {
			if cause, line, ok := blamed(lines); ok {
				findings = append(findings, fromLog(s, cause, line, Finding{Pods: []string{pod.Name}}))
			}
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(pod.Health.Dependencies)) {
			if state := pod.Health.Dependencies[name]; !strings.EqualFold(state, up) {
				findings = append(findings, unusable(s, w, pod, name, state, lines))
			}
		}
	}
	return findings
}

// fromLog completes a finding about a dependency that only the logs mention.
func fromLog(s Snapshot, cause Cause, line string, finding Finding) Finding {
	finding.Cause, finding.Summary = cause, "a dependency is not usable: "+meaning(cause)
	finding.Evidence = append(finding.Evidence, "log: "+short(line))
	finding.Next = []string{"pulumi config get env -s " + s.Stack, "kubectl get networkpolicies -n " + s.Namespace}
	return finding
}

func unusable(s Snapshot, w Workload, pod *Pod, name, state string, lines []string) Finding {
	finding := Finding{
		Cause: CauseDependency, Pods: []string{pod.Name},
		Summary:  fmt.Sprintf("its %s is not usable from the pod's network: %s", name, meaning(CauseDependency)),
		Evidence: []string{fmt.Sprintf("health report: status %d, %s %s", pod.Health.Status, name, state)},
		Next:     []string{fmt.Sprintf("kubectl logs %s -n %s --tail 50", pod.Name, s.Namespace)},
	}
	// Prefer the log lines that name this dependency.
	about := slices.DeleteFunc(slices.Clone(lines),
		func(line string) bool { return !strings.Contains(strings.ToLower(line), strings.ToLower(name)) })
	if cause, line, ok := blamed(about); ok {
		finding.Cause, finding.Summary = cause, fmt.Sprintf("its %s is not usable from the pod's network: %s", name,
			meaning(cause))
		finding.Evidence = append(finding.Evidence, "log: "+short(line))
	}
	finding.Next = append(finding.Next, resolveDependency(s, finding.Cause)...)
	switch others, alike := besides(s, w, name); {
	case others == 0:
	case alike == others:
		finding.Evidence = append(finding.Evidence, fmt.Sprintf("the %d pods of the other track report the same: the "+
			"%s has a problem, not this Deployment", others, name))
	case alike == 0:
		finding.Evidence = append(finding.Evidence, fmt.Sprintf("the %d pods of the other track use their %s: check the "+
			"settings of this Deployment", others, name))
	}
	return finding
}

// besides counts the pods of the other workloads that report on the dependency, and those of them that cannot use it.
func besides(s Snapshot, w Workload, name string) (others, alike int) {
	for _, workload := range s.Workloads {
		if workload.Name == w.Name {
			continue
		}
		for i := range workload.Pods {
			if health := workload.Pods[i].Health; health != nil && health.Dependencies[name] != "" {
				others++
				if !strings.EqualFold(health.Dependencies[name], up) {
					alike++
				}
			}
		}
	}
	return others, alike
}

func resolveDependency(s Snapshot, cause Cause) []string {
	switch cause {
	case CauseCredentials:
		return []string{"kubectl get secrets -n " + s.Namespace, "pulumi config set --secret --path secrets.SECRET.KEY -s " +
			s.Stack, "pulumi up -s " + s.Stack}
	case CauseUnknownName, CauseNoDatabase:
		return []string{"pulumi config get env -s " + s.Stack, "kubectl get services -A"}
	case CauseConnections:
		return []string{"pulumi config get env -s " + s.Stack,
			`psql -c "select usename, state, count(*) from pg_stat_activity group by 1, 2"`}
	case CauseSchema:
		return []string{"# run the migrations of this version against the database"}
	default:
		return []string{"kubectl get networkpolicies -n " + s.Namespace, "pulumi config get network.egressPorts --path -s " +
			s.Stack}
	}
}

// confidenceLevel is the error probability of the bound above which a share counts as high.
const confidenceLevel = 0.05

// high reports whether the bad share exceeds the limit with statistical confidence.
func high(counts gate.Counts, limit float64) bool {
	return limit > 0 && limit < 1 && counts.K > 0 && gate.LowerBound(counts.N, counts.K, confidenceLevel) > limit
}

// errorRate reports a high error rate, with the most frequent error lines.
func errorRate(s Snapshot, w Workload) []Finding {
	counts, from := answered(w.Pods), "the logs"
	if w.Traffic != nil {
		counts, from = w.Traffic.Requests, fmt.Sprintf("Prometheus over %v", w.Traffic.Window)
	}
	if !high(counts, s.Limits.ErrorRate) {
		return nil
	}
	finding := Finding{
		Cause: CauseErrors, Summary: fmt.Sprintf("its error rate is too high: the target is below %s",
			percent(s.Limits.ErrorRate)),
		Evidence: append([]string{fmt.Sprintf("%d of %d requests failed (%s), by %s", counts.K, counts.N,
			percent(share(counts)), from)}, errorLines(w.Pods, 3)...),
		Next: []string{fmt.Sprintf("kubectl logs -n %s deployment/%s --all-pods --tail 200", s.Namespace, w.Name),
			"rollout status -s " + s.Stack},
	}
	for _, workload := range s.Workloads {
		if workload.Name == w.Name || workload.Traffic == nil {
			continue
		}
		beside := workload.Traffic.Requests
		finding.Evidence = append(finding.Evidence, fmt.Sprintf("%s: %d of %d (%s)", workload.Name, beside.K, beside.N,
			percent(share(beside))))
	}
	return []Finding{finding}
}

// latency explains slow responses: CPU throttling, memory at its limit, or a slow dependency.
func latency(s Snapshot, w Workload) []Finding {
	var findings []Finding
	slow := w.Traffic != nil && high(w.Traffic.Slow, s.Limits.SlowShare)
	evidence := ""
	if slow {
		evidence = fmt.Sprintf("%d of %d requests took longer than %v (%s), by Prometheus over %v",
			w.Traffic.Slow.K, w.Traffic.Slow.N, s.Limits.Latency, percent(share(w.Traffic.Slow)), w.Traffic.Window)
	}
	for i := range w.Pods {
		for _, finding := range constraints(s, &w.Pods[i], slow) {
			if evidence != "" {
				finding.Evidence = append(finding.Evidence, evidence)
			}
			findings = append(findings, finding)
		}
	}
	if slow && len(findings) == 0 {
		findings = append(findings, Finding{
			Cause: CauseSlow, Summary: fmt.Sprintf("too many responses take longer than %v, and CPU, memory and dependencies "+
				"do not explain it: the service itself is slow", s.Limits.Latency),
			Evidence: append([]string{evidence}, errorLines(w.Pods, 2)...),
			Next: []string{fmt.Sprintf("kubectl logs -n %s deployment/%s --all-pods --tail 200", s.Namespace, w.Name),
				"rollout report -s " + s.Stack + " --html -f report.html", "# check its traces"},
		})
	}
	return findings
}

const (
	// throttledFrom is the share of CPU periods from which throttling explains slowness.
	throttledFrom = 0.25
	// pressureFrom is the share of the memory limit of the guide's alert for memory pressure.
	pressureFrom = 0.9
)

// constraints reports the constraints that slow a pod down.
func constraints(s Snapshot, pod *Pod, slow bool) []Finding {
	var findings []Finding
	next := []string{fmt.Sprintf("kubectl top pod %s -n %s", pod.Name, s.Namespace)}
	if usage := pod.Usage; usage != nil {
		if slow && usage.Throttled >= throttledFrom {
			findings = append(findings, Finding{
				Cause: CauseThrottled, Pods: []string{pod.Name}, Summary: "it is slow because it is throttled at its CPU limit",
				Evidence: []string{fmt.Sprintf("pod %s was throttled in %s of its CPU periods; its limits are %s", pod.Name,
					percent(usage.Throttled), amounts(pod.Spec.Containers, limits))},
				Next: append(slices.Clone(next), "pulumi config set --path resources.limits.cpu VALUE -s "+s.Stack),
			})
		}
		if limit := memoryLimit(pod); limit > 0 && usage.Memory >= pressureFrom*limit {
			findings = append(findings, Finding{
				Cause: CausePressure, Pods: []string{pod.Name}, Summary: "it is near its memory limit, where it will be killed",
				Evidence: []string{fmt.Sprintf("pod %s uses %.0f MiB of %.0f MiB", pod.Name, usage.Memory/(1<<20), limit/(1<<20))},
				Next:     append(slices.Clone(next), raiseMemory(s)),
			})
		}
	}
	if slow && pod.Health != nil && pod.Health.Took > s.Limits.Latency/2 {
		findings = append(findings, Finding{
			Cause: CauseSlowDependency, Pods: []string{pod.Name},
			Summary: "it is slow because a dependency is slow",
			Evidence: []string{fmt.Sprintf("pod %s took %v to check its dependencies (%s)", pod.Name,
				pod.Health.Took.Round(time.Millisecond), list(slices.Sorted(maps.Keys(pod.Health.Dependencies))))},
			Next: []string{
				`psql -c "select pid, state, wait_event, now() - query_start as since, query from pg_stat_activity order by since desc"`},
		})
	}
	return findings
}

func memoryLimit(pod *Pod) float64 {
	total := 0.0
	for _, container := range pod.Spec.Containers {
		limit, ok := container.Resources.Limits[corev1.ResourceMemory]
		if !ok {
			return 0
		}
		total += limit.AsApproximateFloat64()
	}
	return total
}

// isolated reports pods that are isolated from the Service.
func isolated(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		value, labelled := pod.Labels[names.Traffic]
		if !labelled || value == names.Enabled || pod.DeletionTimestamp != nil {
			continue
		}
		findings = append(findings, Finding{
			Cause: CauseIsolated, Pods: []string{pod.Name}, Summary: "its pods are isolated and get no requests",
			Evidence: []string{fmt.Sprintf("pod %s has the label %s=%s", pod.Name, names.Traffic, value)},
			Next:     []string{"rollout status -s " + s.Stack},
		})
	}
	return findings
}

func share(counts gate.Counts) float64 {
	if counts.N == 0 {
		return 0
	}
	return float64(counts.K) / float64(counts.N)
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }
