package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/markdown"
)

// Markdown is the report as Markdown. Its charts are tables of what was highest and what was usual.
func (r *Report) Markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Deployment log: %s %s\n\n", markdown.Text(r.App), markdown.Text(r.Release))
	fmt.Fprintf(&out, "**%s.** Environment %s, namespace %s, stack %s. Written %s, from the ledger and Prometheus.\n\n",
		markdown.Text(capital(r.Outcome)), markdown.Text(r.Environment), markdown.Text(r.Namespace), markdown.Text(r.Stack),
		moment(r.Generated))
	for _, image := range r.Images {
		fmt.Fprintf(&out, "- image on trial: %s\n", markdown.Code(image))
	}
	if r.Stable != "" {
		fmt.Fprintf(&out, "- stable image: %s\n", markdown.Code(r.Stable))
	}
	if r.Dashboard != "" {
		fmt.Fprintf(&out, "- dashboard: %s\n", markdown.Code(r.Dashboard))
	}
	if r.Runbook != "" {
		fmt.Fprintf(&out, "- runbook: %s\n", markdown.Code(r.Runbook))
	}
	for _, missing := range r.Missing {
		fmt.Fprintf(&out, "- **not read:** %s\n", markdown.Text(missing))
	}
	r.stagesTable(&out)
	r.chartTables(&out)
	r.decisionList(&out)
	r.rollbackList(&out)
	r.timelineTable(&out)
	out.WriteString("\n## Checklist for next week\n\n")
	for _, check := range r.Checklist {
		box := " "
		if check.Done {
			box = "x"
		}
		fmt.Fprintf(&out, "- [%s] %s", box, markdown.Text(check.What))
		if check.Command != "" {
			fmt.Fprintf(&out, ": %s", markdown.Code(check.Command))
		}
		out.WriteString("\n")
	}
	return out.String()
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (r *Report) stagesTable(out *strings.Builder) {
	if len(r.Stages) == 0 {
		return
	}
	out.WriteString("\n## Stages\n\n| weight | since | until | watched | checkpoints | extended | last verdict | ended " +
		"|\n|---|---|---|---|---|---|---|---|\n")
	for _, stage := range r.Stages {
		fmt.Fprintf(out, "| %d %% | %s | %s | %s | %d | %d | %s | %s |\n", stage.Weight, moment(stage.Since), stage.until(),
			stage.watched(),
			stage.Checkpoints, stage.Extensions, orDash(stage.Verdict), orDash(stage.Ended))
	}
}

func (s Stage) until() string {
	if s.Until.IsZero() {
		return "now"
	}
	return moment(s.Until)
}

// watched is the soaked time where a look recorded it.
func (s Stage) watched() string {
	if s.Soaked == 0 {
		return "-"
	}
	return s.Soaked.Round(time.Second).String()
}

func (r *Report) chartTables(out *strings.Builder) {
	for _, section := range r.Sections {
		fmt.Fprintf(out, "\n## %s\n\nFrom %s to %s, a point every %v over %v. The HTML report draws it.\n\n",
			markdown.Text(section.Title), moment(section.Start), moment(section.End), section.Step, section.Window)
		out.WriteString("| | track | mean | highest | last |\n|---|---|---|---|---|\n")
		for _, panel := range section.Panels {
			for _, track := range []struct {
				name string
				list []Point
			}{{"canary", panel.Canary}, {"stable", panel.Stable}} {
				mean, highest, last := panel.summary(track.list)
				fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", markdown.Text(panel.Title), track.name, mean, highest, last)
			}
		}
	}
}

func (r *Report) decisionList(out *strings.Builder) {
	if len(r.Decisions) == 0 {
		return
	}
	out.WriteString("\n## Decisions\n")
	for _, decision := range r.Decisions {
		fmt.Fprintf(out, "\n**%s** %s, by %s: **%s**", moment(decision.Time), markdown.Text(decision.What),
			orDash(decision.Who), orDash(decision.Verdict))
		if decision.Reason != "" {
			fmt.Fprintf(out, " (%s)", markdown.Text(decision.Reason))
		}
		out.WriteString("\n")
		if len(decision.Numbers) == 0 {
			continue
		}
		out.WriteString("\n| criterion | verdict | bad | requests | rate | lower bound | upper bound " +
			"|\n|---|---|---|---|---|---|---|\n")
		for _, n := range decision.Numbers {
			fmt.Fprintf(out, "| %s | %s | %s |\n", markdown.Text(n.Name), markdown.Text(n.Verdict),
				strings.Join(cells(n), " | "))
		}
	}
}

// cells are the numbers of a criterion; one that counts no requests has none.
func cells(n ledger.Number) []string {
	if n.N == 0 && n.K == 0 && n.Upper == 0 {
		return []string{"-", "-", "-", "-", "-"}
	}
	rate := "-"
	if n.N > 0 {
		rate = Share.print(float64(n.K) / float64(n.N))
	}
	return []string{fmt.Sprint(n.K), fmt.Sprint(n.N), rate, Share.print(n.Lower), Share.print(n.Upper)}
}

func (r *Report) rollbackList(out *strings.Builder) {
	out.WriteString("\n## Rollbacks\n\n")
	if len(r.Rollbacks) == 0 {
		out.WriteString("None.\n")
	}
	for _, rollback := range r.Rollbacks {
		fmt.Fprintf(out, "- %s, from %d %%, by %s: %s\n", moment(rollback.Begun), rollback.Weight,
			orDash(rollback.Who), markdown.Text(rollback.Reason))
		if !rollback.Done.IsZero() {
			fmt.Fprintf(out, "  - %s: %s\n", rollback.done(), markdown.Text(rollback.Outcome))
		}
		if rollback.Released != "" {
			fmt.Fprintf(out, "  - latch released %s\n", markdown.Text(rollback.Released))
		}
		if rollback.Retry != nil {
			fmt.Fprintf(out, "  - next try: not before %s, with %s\n", rollback.Retry.Earliest.Format(time.DateOnly),
				markdown.Text(rollback.Retry.Change))
		}
	}
}

// done says how it ended and how long it took by the ledger's clock.
func (r Rollback) done() string {
	how := "complete"
	if !r.Complete {
		how = "incomplete"
	}
	return fmt.Sprintf("%s after %v", how, r.Done.Sub(r.Begun).Round(time.Millisecond))
}

func (r *Report) timelineTable(out *strings.Builder) {
	out.WriteString("\n## Timeline\n\n| time | who | what | |\n|---|---|---|---|\n")
	for _, line := range r.Timeline {
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", moment(line.Time), markdown.Text(line.Who), markdown.Text(line.What),
			markdown.Text(line.Detail))
	}
}

// orDash returns a text for a cell or a sentence, and a dash for an empty one.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return markdown.Text(text)
}
