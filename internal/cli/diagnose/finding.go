package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Cause identifies a root cause.
type Cause string

// Causes.
const (
	CauseNoDeployment   Cause = "deployment-missing"
	CauseQuota          Cause = "quota-exceeded"
	CausePodSecurity    Cause = "pod-security"
	CauseServiceAccount Cause = "service-account-missing"
	CauseNotCreated     Cause = "pods-refused"
	CauseUnschedulable  Cause = "unschedulable"
	CauseSecret         Cause = "secret-missing"
	CauseSecretKey      Cause = "secret-key-missing"
	CauseConfigMap      Cause = "configmap-missing"
	CauseConfigMapKey   Cause = "configmap-key-missing"
	CauseVolume         Cause = "volume-not-mounted"
	CauseImageMissing   Cause = "image-missing"
	CauseImageRefused   Cause = "image-refused"
	CauseImagePlatform  Cause = "image-platform"
	CauseRegistry       Cause = "registry-unreachable"
	CauseImage          Cause = "image-pull"
	CauseCommand        Cause = "command-not-found"
	CauseContainer      Cause = "container-not-created"
	CauseMemory         Cause = "memory-limit"
	CauseConfiguration  Cause = "configuration-invalid"
	CauseLiveness       Cause = "liveness-probe"
	CauseStartup        Cause = "startup-probe"
	CauseReadiness      Cause = "readiness-probe"
	CauseCrash          Cause = "crash"
	CauseNode           Cause = "node-restarted"
	CauseNotReady       Cause = "not-ready"
	CauseCredentials    Cause = "credentials-refused"
	CauseUnknownName    Cause = "name-unknown"
	CauseNoDatabase     Cause = "database-missing"
	CauseSchema         Cause = "schema-missing"
	CauseConnections    Cause = "connections-exhausted"
	CauseUnreachable    Cause = "dependency-unreachable"
	CauseDependency     Cause = "dependency-down"
	CauseThrottled      Cause = "cpu-throttled"
	CausePressure       Cause = "memory-pressure"
	CauseSlowDependency Cause = "dependency-slow"
	CauseErrors         Cause = "errors"
	CauseSlow           Cause = "slow"
	CauseIsolated       Cause = "isolated"
	CauseScaled         Cause = "scaled-otherwise"
)

// ranks orders causes, the highest first. Whatever keeps pods from being created ranks above whatever keeps them from
// starting, running, being ready and serving well, because the former causes the latter.
var ranks = map[Cause]int{
	CauseNoDeployment: 100,
	CauseQuota:        96, CausePodSecurity: 96, CauseServiceAccount: 96, CauseNotCreated: 95,
	CauseUnschedulable: 92,
	CauseSecret:        90, CauseSecretKey: 90, CauseConfigMap: 90, CauseConfigMapKey: 90, CauseVolume: 88,
	CauseImageMissing: 86, CauseImageRefused: 86, CauseImagePlatform: 86, CauseRegistry: 86, CauseImage: 85,
	CauseCommand: 84, CauseContainer: 83,
	CauseMemory: 82, CauseConfiguration: 81, CauseLiveness: 80, CauseStartup: 79, CauseCrash: 76,
	CauseCredentials: 74, CauseUnknownName: 74, CauseNoDatabase: 74, CauseSchema: 73, CauseConnections: 73,
	CauseUnreachable: 72, CauseDependency: 71,
	CauseReadiness: 70,
	CauseThrottled: 66, CausePressure: 64, CauseSlowDependency: 62,
	CauseErrors: 60, CauseSlow: 55, CauseNode: 52, CauseNotReady: 50, CauseScaled: 45, CauseIsolated: 40,
}

// Finding is a cause with its evidence.
type Finding struct {
	Cause Cause `json:"cause"`
	// Workload is the affected Deployment, Pods are the affected pods.
	Workload string   `json:"workload"`
	Pods     []string `json:"pods,omitempty"`
	// Summary describes the problem in one sentence.
	Summary string `json:"summary"`
	// Evidence lists the observations.
	Evidence []string `json:"evidence"`
	// Next lists the next commands: first those that inspect, then those that fix. An entry that is no command begins
	// with #.
	Next []string `json:"next"`
}

// Diagnosis lists the findings, the likeliest cause first.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
	// Unseen lists what could not be read. The absence of findings there means nothing.
	Unseen []string `json:"unseen,omitempty"`
}

// rule is one check of the guide's troubleshooting chapter.
type rule func(Snapshot, Workload) []Finding

var rules = []rule{
	missing, creation, scheduling, references, images, containers, crashes, probes, dependencies, errorRate, latency,
	scaled, isolated,
}

// Diagnose applies all rules to every workload.
func Diagnose(s Snapshot) Diagnosis {
	diagnosis := Diagnosis{Unseen: slices.Clone(s.Unseen)}
	for _, workload := range s.Workloads {
		var findings []Finding
		for _, apply := range rules {
			findings = append(findings, apply(s, workload)...)
		}
		findings = append(findings, unexplained(s, workload, findings)...)
		for i := range findings {
			findings[i].Workload = workload.Name
		}
		diagnosis.Findings = append(diagnosis.Findings, merge(findings)...)
	}
	slices.SortStableFunc(diagnosis.Findings, func(a, b Finding) int {
		return cmp.Compare(ranks[b.Cause],
			ranks[a.Cause])
	})
	return diagnosis
}

// merge combines findings that several pods share. It keeps the evidence of the first pod, because that of the others
// differs in names and times only.
func merge(findings []Finding) []Finding {
	var merged []Finding
	for _, finding := range findings {
		at := slices.IndexFunc(merged, func(m Finding) bool {
			return m.Cause == finding.Cause &&
				m.Summary == finding.Summary
		})
		if at < 0 {
			merged = append(merged, finding)
			continue
		}
		into := &merged[at]
		if !slices.Equal(into.Pods, finding.Pods) {
			into.Pods = unique(append(into.Pods, finding.Pods...))
			continue
		}
		into.Evidence = unique(append(into.Evidence, finding.Evidence...))
	}
	return merged
}

// unique removes duplicates and keeps the order.
func unique(texts []string) []string {
	var kept []string
	for _, text := range texts {
		if !slices.Contains(kept, text) {
			kept = append(kept, text)
		}
	}
	return kept
}

// String formats the diagnosis for people.
func (d Diagnosis) String() string {
	var out strings.Builder
	for i, finding := range d.Findings {
		fmt.Fprintf(&out, "%d. %s: %s\n   cause: %s\n", i+1, finding.Workload, finding.Summary, finding.Cause)
		if len(finding.Pods) > 0 {
			fmt.Fprintf(&out, "   pods: %s\n", strings.Join(finding.Pods, ", "))
		}
		for _, evidence := range finding.Evidence {
			fmt.Fprintf(&out, "   - %s\n", evidence)
		}
		for _, next := range finding.Next {
			if hint, ok := strings.CutPrefix(next, "# "); ok {
				fmt.Fprintf(&out, "   %s\n", hint)
				continue
			}
			fmt.Fprintf(&out, "   $ %s\n", next)
		}
	}
	if len(d.Findings) == 0 {
		out.WriteString("no problem found\n")
	}
	for _, unseen := range d.Unseen {
		fmt.Fprintf(&out, "not checked: %s\n", unseen)
	}
	return out.String()
}
