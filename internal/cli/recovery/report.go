package recovery

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/markdown"
	"github.com/vextrus/finance-rollout/internal/notify"
)

// Report is the outcome of an operator's rollback.
type Report struct {
	Stack     string    `json:"stack"`
	Namespace string    `json:"namespace"`
	Who       string    `json:"who"`
	Canary    Canary    `json:"canary"`
	Option    string    `json:"option"`
	Reason    string    `json:"reason"`
	Began     time.Time `json:"began"`
	Ended     time.Time `json:"ended"`
	Steps     []Step    `json:"steps"`
	// OutOfTraffic is true when the canary had no endpoint left, after OutAfter.
	OutOfTraffic bool          `json:"outOfTraffic"`
	OutAfter     time.Duration `json:"outAfterNanoseconds"`
	// Evidence is the name of the stored logs, events and pod states.
	Evidence string `json:"evidence,omitempty"`
	// Revision and RevisionImage are the target of an undo.
	Revision      int    `json:"revision,omitempty"`
	RevisionImage string `json:"revisionImage,omitempty"`
	// Settled is true when the stack's configuration and state are at the same position.
	Settled      bool             `json:"settled"`
	Smoke        string           `json:"smoke,omitempty"`
	SmokeVerdict gate.Verdict     `json:"smokeVerdict,omitempty"`
	Watched      time.Duration    `json:"watchedNanoseconds,omitempty"`
	Watch        *gate.Evaluation `json:"watch,omitempty"`
	Events       []string         `json:"events,omitempty"`
	// Retry is the advice for another try.
	Retry notify.Retry `json:"retry"`
	// Left lists the steps left to do, the most urgent first.
	Left []string `json:"left,omitempty"`

	// failed is true after a problem that a repeated check cannot resolve.
	failed bool
}

// Step is one step of the rollback.
type Step struct {
	Name         string `json:"name"`
	Done         string `json:"done,omitempty"`
	Error        string `json:"error,omitempty"`
	Milliseconds int64  `json:"milliseconds"`
}

// Verdict is pass when nothing is left to do; fail when the canary may still have requests, the stack is at another
// position, or the stable track fails; inconclusive when a check could not run.
func (r *Report) Verdict() gate.Verdict {
	switch {
	case !r.OutOfTraffic, r.failed:
		return gate.Fail
	case len(r.Left) > 0:
		return gate.Inconclusive
	default:
		return gate.Pass
	}
}

// Summary formats the outcome in a few lines.
func (r *Report) Summary() string {
	var out strings.Builder
	if r.OutOfTraffic {
		fmt.Fprintf(&out, "%s is out of traffic after %s; its image %s is latched\n", r.Canary.Release,
			r.OutAfter.Round(time.Millisecond), short(r.Canary.Image))
	} else {
		fmt.Fprintf(&out, "%s MAY STILL HAVE REQUESTS: its endpoints are not confirmed gone\n", r.Canary.Release)
	}
	if len(r.Left) == 0 {
		out.WriteString("nothing is left to do\n")
		return out.String()
	}
	out.WriteString("left to do:\n")
	for _, left := range r.Left {
		fmt.Fprintf(&out, "  - %s\n", left)
	}
	return out.String()
}

// Markdown formats the report as a document.
func (r *Report) Markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Rollback of %s in %s\n\n", markdown.Text(r.Canary.Release), markdown.Text(r.Namespace))
	fmt.Fprintf(&out, "| | |\n|---|---|\n")
	row := func(name, value string) { fmt.Fprintf(&out, "| %s | %s |\n", name, value) }
	row("stack", markdown.Text(r.Stack))
	row("by", markdown.Text(r.Who))
	row("reason", markdown.Text(r.Reason))
	row("began", r.Began.Format(time.RFC3339))
	row("ended", r.Ended.Format(time.RFC3339))
	row("weight before", fmt.Sprintf("%d %%", r.Canary.Weight))
	row("image", markdown.Text(r.Canary.Image))
	option := r.Option
	if r.Revision > 0 {
		option += fmt.Sprintf(" to revision %d, %s", r.Revision, r.RevisionImage)
	}
	row("option", markdown.Text(option))
	if r.OutOfTraffic {
		row("out of traffic after", r.OutAfter.Round(time.Millisecond).String())
	} else {
		row("out of traffic", "**not confirmed**")
	}
	if r.Evidence != "" {
		row("evidence", markdown.Code(fmt.Sprintf("rollout evidence get %s -s %s", r.Evidence, r.Stack)))
	}
	out.WriteString("\n## Steps\n\n| step | took | outcome |\n|---|---|---|\n")
	for _, step := range r.Steps {
		outcome := markdown.Text(step.Done)
		if step.Error != "" {
			outcome = strings.TrimSpace(outcome + " **failed:** " + markdown.Text(step.Error))
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", markdown.Text(step.Name),
			time.Duration(step.Milliseconds)*time.Millisecond, outcome)
	}
	r.followed(&out)
	fmt.Fprintf(&out, "\n## Next try\n\nNot before %s, with %s\n", r.Retry.Earliest.Format(time.DateOnly),
		markdown.Text(r.Retry.Change))
	out.WriteString("\n## Left to do\n\n")
	if len(r.Left) == 0 {
		out.WriteString("Nothing.\n")
	}
	for _, left := range r.Left {
		fmt.Fprintf(&out, "- %s\n", markdown.Text(left))
	}
	return out.String()
}

// followed formats the follow-up of the rollback.
func (r *Report) followed(out *strings.Builder) {
	if r.Smoke != "" {
		fmt.Fprintf(out, "\n## Smoke suite on the stable track: %s\n\n%s", r.SmokeVerdict,
			markdown.Block(strings.TrimSpace(r.Smoke)))
	}
	if r.Watch != nil {
		fmt.Fprintf(out, "\n## Stable track, watched for %s: %s\n\n%s", r.Watched, r.Watch.Verdict(),
			markdown.Block(strings.TrimSpace(r.Watch.String())))
	}
	if len(r.Events) > 0 {
		fmt.Fprintf(out, "\n## Events\n\n%s", markdown.Block(strings.Join(r.Events, "\n")))
	}
}

// short abbreviates a digest.
func short(digest string) string {
	const shown = len("sha256:") + 12
	if len(digest) <= shown {
		return digest
	}
	return digest[:shown]
}
