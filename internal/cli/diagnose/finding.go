package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Cause is what is wrong.
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
)

// ranks order causes: what keeps pods from being made comes before what keeps them from starting, from running, from
// being ready and from answering well, for the former brings about the latter. The higher one comes first.
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
	CauseErrors: 60, CauseSlow: 55, CauseNode: 52, CauseNotReady: 50, CauseIsolated: 40,
}

// Finding is a cause that was found.
type Finding struct {
	Cause Cause `json:"cause"`
	// Workload is the Deployment that it is about, Pods those that show it.
	Workload string   `json:"workload"`
	Pods     []string `json:"pods,omitempty"`
	// Summary says in a sentence what is wrong.
	Summary string `json:"summary"`
	// Evidence is what it was seen by.
	Evidence []string `json:"evidence"`
	// Next are the commands to go on with: first to look closer, then what resolves it. What no command does begins with
	// #.
	Next []string `json:"next"`
}

// Diagnosis is what was found, the likeliest cause first.
type Diagnosis struct {
	Findings []Finding `json:"findings"`
	// Unseen says what could not be looked at: nothing was found there because nobody looked.
	Unseen []string `json:"unseen,omitempty"`
}

// rule is one piece of the guide's troubleshooting.
type rule func(Snapshot, Workload) []Finding

// rules are all of them.
var rules = []rule{
	missing, creation, scheduling, references, images, containers, crashes, probes, dependencies, errorRate, latency,
	isolated,
}

// Diagnose applies the rules to every workload.
func Diagnose(s Snapshot) Diagnosis {
	diagnosis := Diagnosis{Unseen: slices.Clone(s.Unseen)}
	for _, workload := range s.Workloads {
		var found []Finding
		for _, apply := range rules {
			found = append(found, apply(s, workload)...)
		}
		found = append(found, unexplained(s, workload, found)...)
		for i := range found {
			found[i].Workload = workload.Name
		}
		diagnosis.Findings = append(diagnosis.Findings, merge(found)...)
	}
	slices.SortStableFunc(diagnosis.Findings, func(a, b Finding) int {
		return cmp.Compare(ranks[b.Cause],
			ranks[a.Cause])
	})
	return diagnosis
}

// merge puts findings of several pods about the same thing together. What was seen of the first one stands for all:
// the others differ in names and times.
func merge(found []Finding) []Finding {
	var merged []Finding
	for _, finding := range found {
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

// unique keeps the first of equal texts, in their order.
func unique(texts []string) []string {
	var kept []string
	for _, text := range texts {
		if !slices.Contains(kept, text) {
			kept = append(kept, text)
		}
	}
	return kept
}

// String is the diagnosis for people.
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
			if hint, is := strings.CutPrefix(next, "# "); is {
				fmt.Fprintf(&out, "   %s\n", hint)
				continue
			}
			fmt.Fprintf(&out, "   $ %s\n", next)
		}
	}
	if len(d.Findings) == 0 {
		out.WriteString("nothing was found\n")
	}
	for _, unseen := range d.Unseen {
		fmt.Fprintf(&out, "not looked at: %s\n", unseen)
	}
	return out.String()
}
