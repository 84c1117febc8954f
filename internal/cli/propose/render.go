package propose

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

// Exclude is the pattern of the probes' paths; empty without any.
func (p Proposal) Exclude() string {
	quoted := make([]string, len(p.Probes))
	for i, path := range p.Probes {
		quoted[i] = regexp.QuoteMeta(path)
	}
	return strings.Join(quoted, "|")
}

// YAML is the part of a stack's file, for a project of that name.
func (p Proposal) YAML(project string) string {
	var text strings.Builder
	for _, note := range p.Notes {
		fmt.Fprintf(&text, "# %s\n", note)
	}
	fmt.Fprintf(&text, "%s:metrics:\n", project)
	line := func(key, value string) { fmt.Fprintf(&text, "  %s: %s\n", key, strconv.Quote(value)) }
	line("requestsTotal", p.Requests)
	line("statusLabel", p.Status)
	line("errorPattern", p.ErrorPattern)
	if p.Histogram != "" {
		line("durationBucket", p.Histogram)
		line("durationUnit", p.Unit)
	}
	if len(p.Probes) > 0 {
		fmt.Fprintf(&text, "  exclude: { %q: %q }\n", p.PathLabel, p.Exclude())
	} else {
		// An empty pattern would leave out the series without a path.
		fmt.Fprintln(&text, "  exclude: {}")
	}
	latency := "off"
	if p.Latency > 0 {
		latency = model.Duration(p.Latency).String()
	}
	fmt.Fprintf(&text, "%s:criteria:\n  latency: %q\n", project, latency)
	return text.String()
}
