package prcomment

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/testkit/render"
)

// events writes events as the CLI does.
func events(t *testing.T, list ...apitype.EngineEvent) string {
	t.Helper()
	var text strings.Builder
	for _, event := range list {
		line, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(line)
		text.WriteString("\n")
	}
	return text.String()
}

func diagnostic(severity, message string) apitype.EngineEvent {
	return apitype.EngineEvent{DiagnosticEvent: &apitype.DiagnosticEvent{Severity: severity, Message: message}}
}

func violation(level, policy string) apitype.EngineEvent {
	return apitype.EngineEvent{PolicyEvent: &apitype.PolicyEvent{
		ResourceURN: "urn:pulumi:production::p::a:b:C$kubernetes:apps/v1:Deployment::canary", EnforcementLevel: level,
		PolicyName: policy, Message: "found",
	}}
}

func summary(result apitype.OperationResult) apitype.EngineEvent {
	return apitype.EngineEvent{SummaryEvent: &apitype.SummaryEvent{Result: result,
		ResourceChanges: map[apitype.OpType]int{"update": 1, "same": 20}}}
}

func step(operation apitype.OpType) apitype.EngineEvent {
	return apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: apitype.StepEventMetadata{
		Op: operation, Type: "kubernetes:apps/v1:Deployment",
		URN: "urn:pulumi:production::p::kubernetes:apps/v1:Deployment::canary",
		Old: &apitype.StepEventStateMetadata{Inputs: map[string]any{"replicas": 1}},
		New: &apitype.StepEventStateMetadata{Inputs: map[string]any{"replicas": 3}},
	}}}
}

func read(t *testing.T, text string) *Preview {
	t.Helper()
	preview, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return preview
}

func TestHeadline(t *testing.T) {
	tests := map[string]struct {
		events []apitype.EngineEvent
		want   string
	}{
		"empty": {nil, "no preview"},
		"no change": {[]apitype.EngineEvent{step("same"), summary("succeeded")},
			"nothing to change"},
		"change": {[]apitype.EngineEvent{step("update"),
			diagnostic("info", "advance from 10 % to 30 %"), summary("succeeded")}, "an update would go ahead"},
		"advice": {[]apitype.EngineEvent{step("update"),
			violation("advisory", "canary-guarded"), summary("succeeded")}, "an update would go ahead"},
		"too early": {[]apitype.EngineEvent{step("update"),
			diagnostic("warning", "an update now would be refused: soak 31 h of 48 h"), summary("succeeded")},
			"an update would be refused now; time"},
		"illegal": {[]apitype.EngineEvent{step("update"),
			diagnostic("error", "before hook \"advance\" failed"), summary("failed")}, "an update would be refused"},
		"policy": {[]apitype.EngineEvent{step("update"), violation("mandatory", "image-digest"),
			diagnostic("error", "preview failed\n"), summary("failed")}, "refused by policy"},
		"both": {[]apitype.EngineEvent{violation("mandatory", "image-digest"),
			diagnostic("error", "illegal"), summary("failed")}, "by policy and by the program"},
		"an unknown level counts as mandatory": {[]apitype.EngineEvent{violation("remediate", "x"), summary("succeeded")},
			"refused by policy"},
		"broke off": {[]apitype.EngineEvent{step("update"), diagnostic("error", "cannot connect")},
			"an update would be refused"},
		"debug": {[]apitype.EngineEvent{step("update"),
			diagnostic("debug", "an update now would be refused"), summary("succeeded")}, "would go ahead"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			stack := Stack{Name: "production", Preview: read(t, events(t, tt.events...))}
			if got := headline(stack); !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if !strings.Contains(Comment("", []Stack{stack}), "`production`: "+headline(stack)) {
				t.Error("the comment says otherwise")
			}
		})
	}
}

func TestTheCommentOfAnythingIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		preview := &Preview{Counts: map[string]int{}, Ended: true}
		text := func(name string) string {
			one := rapid.SampledFrom(append([]string{"a", "@a", "&", "é"}, hostile...)).Draw(t, name)
			return strings.Repeat(one, rapid.SampledFrom([]int{1, 10, 300}).Draw(t, "times"))
		}
		for range rapid.SampledFrom([]int{0, 1, 120}).Draw(t, "diagnostics") {
			preview.Diagnostics = append(preview.Diagnostics, Diagnostic{"error", text("resource"), text("message")})
		}
		for range rapid.SampledFrom([]int{0, 1, 120}).Draw(t, "violations") {
			preview.Violations = append(preview.Violations, Violation{text("policy"), text("resource"), text("message"), true})
		}
		for range rapid.SampledFrom([]int{0, 1, 120}).Draw(t, "changes") {
			properties := make([]Property, rapid.SampledFrom([]int{0, 3, 200}).Draw(t, "properties"))
			for i := range properties {
				properties[i] = Property{"path", "before", "after"}
			}
			preview.Changes = append(preview.Changes, Change{"update", "t", text("name"), properties})
		}
		comment := Comment(text("commit"), []Stack{{Name: text("stack"), Preview: preview},
			{Name: "other", Problem: text("problem")}})
		if len(comment) > MostBytes || !utf8.ValidString(comment) || !strings.HasPrefix(comment, Marker+"\n") {
			t.Fatalf("%d bytes, beginning with %.60q", len(comment), comment)
		}
		for _, sign := range []string{"\x1b", "@octocat", "\u202e"} {
			if strings.Contains(comment, sign) {
				t.Fatalf("the comment holds %q", sign)
			}
		}
		checkElements(t, comment)
	})
}

// checkElements fails the test when a comment renders anything but what [Comment] writes.
func checkElements(t *rapid.T, comment string) {
	allowed := strings.Fields("comment h2 h3 p strong code pre table thead tbody tr th td details summary")
	for _, element := range render.Elements(render.Markdown(t, comment)) {
		if !slices.Contains(allowed, element) {
			t.Fatalf("the comment renders <%s>:\n%s", element, comment)
		}
	}
}

func TestATooLongPreviewIsCutFromItsEnd(t *testing.T) {
	preview := &Preview{Ended: true, Counts: map[string]int{"update": 5000}}
	for i := range 5000 {
		preview.Changes = append(preview.Changes, Change{"update", "kubernetes:core/v1:ConfigMap", fmt.Sprint("number", i),
			nil})
	}
	comment := Comment("", []Stack{{Name: "production", Preview: preview}})
	for _, word := range []string{"number0", "more resources", "5000 to `update"} {
		if !strings.Contains(comment, word) {
			t.Errorf("the comment does not hold %q", word)
		}
	}
}

func TestRefusedInput(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"digest":   {`{"config":{},"steps":[],"duration":1}`, "PULUMI_ENABLE_STREAMING_JSON_PREVIEW"},
		"no JSON":  {"error: could not load the stack", "read the events"},
		"cut off":  {`{"sequence":1,"diagnosticEvent":{"mess`, "read the events"},
		"too much": {strings.Repeat(`{"sequence":1}`+strings.Repeat(" ", 1<<20), 65), "more than 64 MiB"},
	} {
		if _, err := Read(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"sequence":1,"diagnosticEvent":{"message":"<b>","severity":"error","color":"never"}}`)
	f.Add(`{"resourcePreEvent":{"metadata":{"op":"update","urn":"urn:pulumi:a::b::c$kubernetes:core/v1:Secret::d","type":"kubernetes:core/v1:Secret",` +
		`"old":{"inputs":{"data":{"a":"x"}}},"new":{"inputs":{"data":{"a":"y"},"l":[{"name":"n"}]}},"detailedDiff":{"data.a":{"diffKind":"update"}}}}}`)
	f.Add(`{"policyEvent":{"message":"m","policyName":"p","enforcementLevel":"mandatory"}}{"summaryEvent":{"resourceChanges":{"update":1},"result":"failed"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		preview, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		comment := Comment("0123", []Stack{{Name: "production", Preview: preview}})
		if len(comment) > MostBytes || !utf8.ValidString(comment) || strings.ContainsAny(comment, "\x1b") {
			t.Errorf("%d bytes: %q", len(comment), comment)
		}
	})
}

// The price of a release comes first, and is no message of the gate.
func TestTheForecastStandsByItself(t *testing.T) {
	preview := read(t, events(t, diagnostic("info", "forecast: done 50 % by Mon\nrequests missing: none @everybody"),
		diagnostic("warning", "an update now would be refused: soak too short"), summary("succeeded")))
	text := Comment("", []Stack{{Name: "production", Preview: preview}})
	forecast, gate := strings.Index(text, "**Forecast**"), strings.Index(text, "**Gate and messages**")
	if forecast < 0 || gate < forecast || !strings.Contains(text[forecast:gate], "done 50 % by Mon") ||
		strings.Contains(text[gate:], "requests missing") || strings.Contains(text, "forecast: ") {
		t.Errorf("the comment is:\n%s", text)
	}
	preview = read(t, events(t, diagnostic("info", "forecast: none, because no answer"), summary("succeeded")))
	text = Comment("", []Stack{{Name: "production", Preview: preview}})
	if !strings.Contains(text, "none, because no answer") ||
		!strings.Contains(text, "**Gate and messages:** none.") {
		t.Errorf("the comment is:\n%s", text)
	}
}

// A stack without an image takes what staging has verified: a reviewer sees which one it is.
func TestTheCommentNamesTheImageThatStagingHasVerified(t *testing.T) {
	const image = "image: registry.example.com/vextrus/finance@sha256:abc, which stack staging has verified"
	preview := read(t, events(t, diagnostic("info", image), step(apitype.OpUpdate), summary("succeeded")))
	comment := Comment("", []Stack{{Name: "production", Preview: preview}})
	if !strings.Contains(comment, image) {
		t.Errorf("no %q in\n%s", image, comment)
	}
}

// A component's inputs repeat what its resources say: its updates are no changes of their own.
func TestComponentsThatRepeatTheirResourcesAreLeftOut(t *testing.T) {
	component := step("update")
	component.ResourcePreEvent.Metadata.Type = "finance-rollout:index:Track"
	total := summary("succeeded")
	total.SummaryEvent.ResourceChanges = map[apitype.OpType]int{"update": 2}
	preview := read(t, events(t, component, step("update"), total))
	if len(preview.Changes) != 1 || preview.counts() != "1 to `update`" {
		t.Errorf("%d changes, %s", len(preview.Changes), preview.counts())
	}
}
