package prcomment

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Marker is the first line of the comment. The workflow finds the comment of an earlier push by it.
const Marker = "<!-- finance-rollout: preview -->"

// MostBytes is how long a comment may be; GitHub takes 65,536 characters.
const MostBytes = 60000

// Stack is a stack with its preview. A preview that could not be read is nil, and Problem says why.
type Stack struct {
	Name    string
	Preview *Preview
	Problem string
	// Doubts say why the preview may be forged; none where it cannot be. Digest is that of the artifact with the preview;
	// empty for none.
	Doubts []string
	Digest string
}

// IsRefused reports whether an update of the stack would be refused, or whether that is not known: there is no
// preview, it may be forged, or no policy judged it. What time or traffic can still cure is no refusal.
func (s Stack) IsRefused() bool {
	p := s.Preview
	return len(s.Doubts) > 0 || p == nil || !p.Ended || p.Failed || p.hasMandatory() || p.hasErrors() || p.Policies == 0
}

func (p *Preview) hasMandatory() bool {
	return slices.ContainsFunc(p.Violations, func(v Violation) bool { return v.Mandatory })
}

func (p *Preview) hasErrors() bool {
	return slices.ContainsFunc(p.Diagnostics, func(d Diagnostic) bool { return d.Severity == "error" })
}

// bounds are how much of a preview is shown.
type bounds struct {
	// rows are lines of a table, texts characters of a cell, and messages those of a message.
	rows, texts, messages int
}

// Comment makes the comment. Commit is what was previewed; it may be empty.
func Comment(commit string, stacks []Stack) string {
	for _, b := range []bounds{{80, 200, 4000}, {30, 120, 1500}, {10, 60, 500}, {3, 30, 100}} {
		if text := comment(commit, stacks, b); len(text) <= MostBytes {
			return text
		}
	}
	return Marker + "\n## Preview\n\nThe previews are too long for a comment: see the log of the job.\n"
}

func comment(commit string, stacks []Stack, b bounds) string {
	var out strings.Builder
	out.WriteString(Marker + "\n## Preview\n\n")
	if commit != "" {
		fmt.Fprintf(&out, "Of %s.\n\n", inline(commit, 64))
	}
	for _, stack := range stacks {
		fmt.Fprintf(&out, "### %s: %s\n\n", inline(stack.Name, 100), headline(stack))
		if stack.Digest != "" {
			fmt.Fprintf(&out, "By the artifact %s.\n\n", inline(stack.Digest, 80))
		}
		for _, doubt := range stack.Doubts {
			fmt.Fprintf(&out, "**It may be forged:**\n%s\n", block(doubt, b.messages))
		}
		if stack.Preview == nil {
			out.WriteString(block(stack.Problem, b.messages) + "\n")
			continue
		}
		stack.Preview.forecast(&out, b)
		stack.Preview.gate(&out, b)
		stack.Preview.policies(&out, b)
		stack.Preview.changes(&out, b)
	}
	return out.String()
}

// refusedNow is how the advance gate begins what time or traffic can still cure.
const refusedNow = "an update now would be refused"

// headline tells what an update would come to.
func headline(stack Stack) string {
	preview := stack.Preview
	if preview == nil || !preview.Ended && len(preview.Diagnostics) == 0 {
		return "no preview"
	}
	if len(stack.Doubts) > 0 {
		return "not judged, because the preview may be forged"
	}
	mandatory, failed := preview.hasMandatory(), preview.hasErrors()
	later := slices.ContainsFunc(preview.Diagnostics, func(d Diagnostic) bool {
		return strings.HasPrefix(d.Message,
			refusedNow)
	})
	switch {
	case mandatory && failed:
		return "an update would be refused, by policy and by the program"
	case mandatory:
		return "an update would be refused by policy"
	case failed || preview.Failed:
		return "an update would be refused"
	case later:
		return "an update would be refused now; time or traffic can still cure it"
	case len(preview.Changes) == 0:
		return "nothing to change"
	}
	return "an update would go ahead"
}

// foretold begins the program's forecast of a release that enters.
const foretold = "forecast: "

func isForecast(d Diagnostic) bool {
	return d.Severity == "info" && strings.HasPrefix(d.Message, foretold)
}

// forecast shows the price of the release before anything else.
func (p *Preview) forecast(out *strings.Builder, b bounds) {
	for _, diagnostic := range p.Diagnostics {
		if isForecast(diagnostic) {
			fmt.Fprintf(out, "**Forecast**\n\n%s\n", block(strings.TrimPrefix(diagnostic.Message, foretold), b.messages))
		}
	}
}

func (p *Preview) gate(out *strings.Builder, b bounds) {
	diagnostics := slices.DeleteFunc(slices.Clone(p.Diagnostics), isForecast)
	if len(diagnostics) == 0 {
		out.WriteString("**Gate and messages:** none.\n\n")
		return
	}
	out.WriteString("**Gate and messages**\n\n")
	for i, diagnostic := range diagnostics {
		if i == b.rows {
			fmt.Fprintf(out, "… and %d more\n\n", len(diagnostics)-i)
			return
		}
		about := ""
		if diagnostic.Resource != "" {
			about = " " + inline(diagnostic.Resource, b.texts)
		}
		fmt.Fprintf(out, "%s%s\n%s\n", inline(diagnostic.Severity, 20), about, block(diagnostic.Message, b.messages))
	}
}

func (p *Preview) policies(out *strings.Builder, b bounds) {
	switch {
	case p.Policies == 0 && len(p.Violations) == 0:
		out.WriteString("**Policies:** none judged this stack.\n\n")
		return
	case len(p.Violations) == 0:
		fmt.Fprintf(out, "**Policies:** all %d passed.\n\n", p.Policies)
		return
	}
	mandatory := 0
	for _, violation := range p.Violations {
		if violation.Mandatory {
			mandatory++
		}
	}
	fmt.Fprintf(out, "**Policies:** %d judged; %d mandatory and %d advisory findings\n\n", p.Policies, mandatory,
		len(p.Violations)-mandatory)
	out.WriteString("| level | policy | resource | finding |\n|---|---|---|---|\n")
	for i, violation := range p.Violations {
		if i == b.rows {
			fmt.Fprintf(out, "\n… and %d more\n", len(p.Violations)-i)
			break
		}
		level := "advisory"
		if violation.Mandatory {
			level = "**mandatory**"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", level, inline(violation.Policy, b.texts),
			inline(violation.Resource, b.texts), inline(violation.Message, 3*b.texts))
	}
	out.WriteString("\n")
}

func (p *Preview) changes(out *strings.Builder, b bounds) {
	if len(p.Changes) == 0 {
		out.WriteString("**Changes:** none.\n\n")
		return
	}
	fmt.Fprintf(out, "**Changes:** %s\n\n", p.counts())
	out.WriteString("<details><summary>Resources</summary>\n\n| | resource | property | before | after " +
		"|\n|---|---|---|---|---|\n")
	rows := 0
	for i, change := range p.Changes {
		if rows >= b.rows {
			fmt.Fprintf(out, "\n… and %d more resources\n", len(p.Changes)-i)
			break
		}
		rows += change.write(out, b)
	}
	out.WriteString("\n</details>\n\n")
}

// write writes the rows of a change and gives their number.
func (c Change) write(out *strings.Builder, b bounds) int {
	resource := inline(c.Type[strings.LastIndex(c.Type, ":")+1:]+" "+c.Name, b.texts)
	operation := inline(c.Operation, 30)
	if len(c.Properties) == 0 {
		fmt.Fprintf(out, "| %s | %s | | | |\n", operation, resource)
		return 1
	}
	for i, property := range c.Properties {
		if i == b.rows/2 {
			fmt.Fprintf(out, "| | | … and %d more | | |\n", len(c.Properties)-i)
			return i + 1
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", operation, resource, inline(property.Path, b.texts),
			inline(property.Before, b.texts), inline(property.After, b.texts))
		operation, resource = "", ""
	}
	return len(c.Properties)
}

// counts tells how many resources are touched in which way.
func (p *Preview) counts() string {
	var list []string
	for _, operation := range slices.Sorted(maps.Keys(p.Counts)) {
		if operation != "same" && operation != "read" && p.Counts[operation] > 0 {
			list = append(list, fmt.Sprintf("%d to %s", p.Counts[operation], inline(operation, 30)))
		}
	}
	if len(list) == 0 {
		return fmt.Sprintf("%d resources", len(p.Changes))
	}
	return strings.Join(list, ", ")
}
