package prcomment

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// A repository with more stacks than a comment holds gets a comment all the same: the workflow finds it by its first
// line, and a person the previews in the log.
func TestMoreStacksThanACommentHolds(t *testing.T) {
	var stacks []Stack
	for i := range 1000 {
		stacks = append(stacks, Stack{Name: fmt.Sprintf("eu-%03d", i), Problem: strings.Repeat("x", 200)})
	}
	comment := Comment("0123", stacks)
	if !strings.HasPrefix(comment, Marker+"\n") || !strings.Contains(comment, "see the log of the job") {
		t.Errorf("%.200s", comment)
	}
	if strings.Contains(comment, "eu-") || len(comment) > MostBytes {
		t.Errorf("%d bytes, with a part of the stacks", len(comment))
	}
	if few := Comment("0123", stacks[:3]); !strings.Contains(few, "eu-002") {
		t.Errorf("%.200s", few)
	}
}

// The mandatory findings come first, so that a cut takes the advisory ones; the count is that of all.
func TestMandatoryFindingsComeFirst(t *testing.T) {
	var list []apitype.EngineEvent
	for i := range 100 {
		list = append(list, violation("advisory", fmt.Sprintf("advice-%02d", i)))
	}
	list = append(list, violation("mandatory", "image-digest"), violation("mandatory", "pod-security"),
		apitype.EngineEvent{PolicyAnalyzeSummaryEvent: &apitype.PolicyAnalyzeSummaryEvent{Passed: []string{"origins"},
			Failed: []string{"image-digest"}}},
		apitype.EngineEvent{PolicyAnalyzeStackSummaryEvent: &apitype.PolicyAnalyzeStackSummaryEvent{
			Passed: []string{"weights", "origins"}}},
		summary("failed"))
	preview := read(t, events(t, list...))
	var first []string
	for _, violation := range preview.Violations[:3] {
		first = append(first, violation.Policy)
	}
	if diff := cmp.Diff([]string{"image-digest", "pod-security", "advice-00"}, first); diff != "" {
		t.Error(diff)
	}
	comment := Comment("", []Stack{{Name: "production", Preview: preview}})
	for words, want := range map[string]bool{"3 judged; 2 mandatory and 100 advisory findings": true,
		"| **mandatory** | `image-digest` |": true, "advice-77": true, "advice-78": false, "… and 22 more": true} {
		if strings.Contains(comment, words) != want {
			t.Errorf("the comment holds %q: %v, want %v\n%s", words, !want, want, comment)
		}
	}
}

func TestPoliciesThatAllPassed(t *testing.T) {
	judged := apitype.EngineEvent{PolicyAnalyzeSummaryEvent: &apitype.PolicyAnalyzeSummaryEvent{
		Passed: []string{"origins", "weights"}}}
	for words, list := range map[string][]apitype.EngineEvent{
		"**Policies:** all 2 passed.":             {step("update"), judged, judged, summary("succeeded")},
		"**Policies:** none judged this stack.":   {step("update"), summary("succeeded")},
		"2 judged; 0 mandatory and 1 advisory":    {judged, violation("advisory", "canary-guarded"), summary("succeeded")},
		"0 judged; 1 mandatory and 0 advisory fi": {violation("mandatory", "image-digest"), summary("failed")},
	} {
		comment := Comment("", []Stack{{Name: "production", Preview: read(t, events(t, list...))}})
		if !strings.Contains(comment, words) {
			t.Errorf("the comment does not hold %q:\n%s", words, comment)
		}
	}
}

// A preview that the engine breaks off has its error as a message, and is no "nothing to change".
func TestAnErrorOfTheEngine(t *testing.T) {
	preview := read(t, events(t, apitype.EngineEvent{ErrorEvent: &apitype.ErrorEvent{Error: "the stack is locked"}}))
	want := []Diagnostic{{Severity: "error", Message: "the stack is locked"}}
	if diff := cmp.Diff(want, preview.Diagnostics); diff != "" {
		t.Error(diff)
	}
	comment := Comment("", []Stack{{Name: "production", Preview: preview}})
	for _, words := range []string{"an update would be refused", "the stack is locked"} {
		if !strings.Contains(comment, words) {
			t.Errorf("the comment does not hold %q:\n%s", words, comment)
		}
	}
}

func TestResourceName(t *testing.T) {
	for urn, want := range map[string]string{
		"": "", "canary": "canary", "urn:pulumi:production::p": "urn:pulumi:production::p",
		"urn:pulumi:production::p::a:b:C$kubernetes:apps/v1:Deployment::canary": "Deployment canary",
		"urn:pulumi:production::p::pulumi:pulumi:Stack::p-production":           "Stack p-production",
	} {
		if got := resourceName(urn); got != want {
			t.Errorf("%s: %q, want %q", urn, got, want)
		}
	}
}
