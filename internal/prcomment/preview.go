package prcomment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Preview holds the result of previewing one stack.
type Preview struct {
	Changes     []Change
	Diagnostics []Diagnostic
	Violations  []Violation
	// Counts are the resources by operation, for example update: 2.
	Counts map[string]int
	// Policies is how many policies judged the stack.
	Policies int
	// Ended tells that the preview came to its end; Failed that it ended badly.
	Ended, Failed bool
	// repeated counts the updates of components by their operation: they only repeat what their resources say.
	repeated map[string]int
}

// Change is a resource that an update would touch.
type Change struct {
	Operation, Type, Name string
	Properties            []Property
}

// Diagnostic is a message to the user. Severity is error, warning or info.
type Diagnostic struct {
	Severity, Resource, Message string
}

// Violation is a policy's finding.
type Violation struct {
	Policy, Resource, Message string
	Mandatory                 bool
}

// mostBytes is how much of a preview is read. The finance service's takes about 350 kB.
const mostBytes = 64 << 20

// Read reads the events of `pulumi preview --json`, as it writes them with PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true.
// Without that variable it leaves out what the policies found, and is refused here.
func Read(r io.Reader) (*Preview, error) {
	limited := &io.LimitedReader{R: r, N: mostBytes + 1}
	decoder := json.NewDecoder(limited)
	preview, policies := &Preview{Counts: map[string]int{}, repeated: map[string]int{}}, map[string]bool{}
	for {
		var event struct {
			apitype.EngineEvent
			Steps json.RawMessage `json:"steps"`
		}
		err := decoder.Decode(&event)
		switch {
		case limited.N <= 0:
			return nil, fmt.Errorf("the preview has more than %d MiB", mostBytes>>20)
		case errors.Is(err, io.EOF):
			preview.Policies = len(policies)
			slices.SortStableFunc(preview.Violations, func(a, b Violation) int { return rank(a) - rank(b) })
			return preview, nil
		case err != nil:
			return nil, fmt.Errorf("read the events of the preview: %w", err)
		case event.Steps != nil:
			return nil, errors.New("this preview leaves out what the policies found: set " +
				"PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true for `pulumi preview --json`")
		}
		preview.add(event.EngineEvent, policies)
	}
}

// rank puts the mandatory violations first.
func rank(v Violation) int {
	if v.Mandatory {
		return 0
	}
	return 1
}

func (p *Preview) add(event apitype.EngineEvent, policies map[string]bool) {
	switch {
	case event.ResourcePreEvent != nil:
		p.addStep(event.ResourcePreEvent.Metadata)
	case event.DiagnosticEvent != nil:
		p.addDiagnostic(*event.DiagnosticEvent)
	case event.PolicyEvent != nil:
		violation := event.PolicyEvent
		p.Violations = append(p.Violations, Violation{
			Policy: violation.PolicyName, Resource: resourceName(violation.ResourceURN),
			Message:   strings.TrimSpace(violation.Message),
			Mandatory: violation.EnforcementLevel != "advisory",
		})
	case event.PolicyAnalyzeSummaryEvent != nil:
		note(policies, event.PolicyAnalyzeSummaryEvent.Passed, event.PolicyAnalyzeSummaryEvent.Failed)
	case event.PolicyAnalyzeStackSummaryEvent != nil:
		note(policies, event.PolicyAnalyzeStackSummaryEvent.Passed, event.PolicyAnalyzeStackSummaryEvent.Failed)
	case event.SummaryEvent != nil:
		p.Ended, p.Failed = true, p.Failed || event.SummaryEvent.Result == "failed"
		for operation, count := range event.SummaryEvent.ResourceChanges {
			p.Counts[string(operation)] = count - p.repeated[string(operation)]
		}
	case event.ErrorEvent != nil:
		p.Failed = true
		p.Diagnostics = append(p.Diagnostics, Diagnostic{Severity: "error", Message: event.ErrorEvent.Error})
	}
}

func note(policies map[string]bool, lists ...[]string) {
	for _, list := range lists {
		for _, name := range list {
			policies[name] = true
		}
	}
}

// addDiagnostic keeps what is meant to be read: no debug text, nothing that is shown for a moment, and not that the
// preview failed, which the summary says too.
func (p *Preview) addDiagnostic(event apitype.DiagnosticEvent) {
	message := strings.TrimSpace(event.Message)
	severity := strings.TrimSuffix(event.Severity, "#err")
	if event.Ephemeral || severity == "debug" || message == "" {
		return
	}
	p.Failed = p.Failed || severity == "error"
	if message == "preview failed" {
		return
	}
	p.Diagnostics = append(p.Diagnostics, Diagnostic{Severity: severity, Resource: resourceName(event.URN),
		Message: message})
}

func (p *Preview) addStep(step apitype.StepEventMetadata) {
	if step.Op == apitype.OpSame || step.Op == apitype.OpRead || step.Logical && isPart(step.Op) {
		return
	}
	if step.Op == apitype.OpUpdate && strings.HasPrefix(step.Type, "finance-rollout:index:") {
		p.repeated[string(step.Op)]++
		return
	}
	change := Change{Operation: string(step.Op), Type: step.Type, Name: lastOf(step.URN)}
	if step.Old != nil && step.New != nil {
		change.Properties = compare(step.Type, step.Old.Inputs, step.New.Inputs, step.DetailedDiff)
	}
	p.Changes = append(p.Changes, change)
}

// isPart tells that an operation is a part of a replacement, which is listed once.
func isPart(operation apitype.OpType) bool {
	return operation == apitype.OpCreateReplacement || operation == apitype.OpDeleteReplaced
}

// resourceName is the kind and the name of a resource, of its URN.
func resourceName(urn string) string {
	if urn == "" {
		return ""
	}
	parts := strings.Split(urn, "::")
	if len(parts) < 4 {
		return urn
	}
	kind := parts[2]
	kind = kind[strings.LastIndexAny(kind, "$:")+1:]
	return kind + " " + parts[len(parts)-1]
}

func lastOf(urn string) string { return urn[strings.LastIndex(urn, ":")+1:] }
