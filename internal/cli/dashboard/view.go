package dashboard

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/cli/evidence"
	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// View is what the page shows.
type View struct {
	// Status is the newest one that the cluster answered, nil before the first.
	Status *status.Status
	// Stale is the reason why there is no newer one, empty while there is.
	Stale string

	Charts   Part[report.Section]
	Evidence Part[[]evidence.Summary]
	Forecast Part[*forecast.Forecast]
}

// Part is what the page shows beside the status, which is read more seldom.
type Part[T any] struct {
	Value T
	// Read is when the value was read, zero before the first time.
	Read time.Time
	// Problem is the reason why there is no newer value, empty while there is.
	Problem string
}

// Sections of the page, in their order. Each is replaced as a whole when it changes.
var sections = []struct{ ID, Title string }{
	{"summary", "Summary"}, {"weight", "Weight and tracks"}, {"soak", "Soak"}, {"charts", "Traffic"}, {"watch", "Watch"},
	{"ledger", "Ledger"}, {"evidence", "Evidence"}, {"forecast", "Forecast"},
}

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string

	style = report.Style + pageStyle
	// policy is the page's Content-Security-Policy: nothing runs and nothing is loaded but what the page itself holds.
	policy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; connect-src 'self'; img-src data:; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", hash(pageScript), hash(style))
)

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// pages escapes each value for its context. Texts from outside go through "line" as well, which drops what cannot be
// seen.
var pages = func() *template.Template {
	functions := template.FuncMap{
		"line": line, "text": sanitize.Text, "number": number, "bands": bands, "draw": drawn, "describe": describe,
		"tone": tone, "tail": tail, "newest": newest,
		"style":  func() template.CSS { return template.CSS(style) },    //nolint:gosec // a constant of the program
		"script": func() template.JS { return template.JS(pageScript) }, //nolint:gosec // a constant of the program
	}
	maps.Copy(functions, status.Words())
	t := template.Must(template.New("page").Funcs(functions).Parse(pageText))
	return template.Must(report.WithPlot(t))
}()

// Render gives the content of every section by its id.
func (v View) Render() (map[string]string, error) {
	rendered := map[string]string{}
	for _, section := range sections {
		var out strings.Builder
		if err := pages.ExecuteTemplate(&out, section.ID, v); err != nil {
			return nil, fmt.Errorf("write the section %s: %w", section.ID, err)
		}
		rendered[section.ID] = out.String()
	}
	return rendered, nil
}

// page is the whole page with the sections in it.
func page(rendered map[string]string) (string, error) {
	type section struct {
		ID, Title string
		Content   template.HTML
	}
	var list []section
	for _, known := range sections {
		content := template.HTML(rendered[known.ID]) //nolint:gosec // Render has escaped it
		list = append(list, section{known.ID, known.Title, content})
	}
	var out strings.Builder
	if err := pages.ExecuteTemplate(&out, "whole", list); err != nil {
		return "", fmt.Errorf("write the page: %w", err)
	}
	return out.String(), nil
}

// band is a criterion as a chart: its share between the bounds since the stage began.
type band struct {
	Criterion status.Criterion
	Plot      report.Plot
	// Drawn is false where the criterion counts no requests, or has too few readings for a line.
	Drawn bool
}

// bands are the criteria of a soak as charts. The bounds narrow as requests are counted.
func bands(s *status.Soak, now time.Time) []band {
	var list []band
	for i, criterion := range s.Criteria {
		section := report.Section{Start: s.Since, End: now, Step: now.Sub(s.Since)}
		panel := report.Panel{Title: sanitize.Line(criterion.Name), Unit: report.Share,
			Limits: report.ShareLimits(criterion.Target, criterion.Rollback)}
		for _, reading := range criterion.Readings {
			panel.Canary = append(panel.Canary, report.Point{Time: reading.Time, Value: reading.Share})
			panel.Bounds = append(panel.Bounds, report.Bound{Time: reading.Time, Lower: reading.Lower, Upper: reading.Upper})
		}
		drawable := len(panel.Bounds) > 1 && section.End.After(section.Start)
		entry := band{Criterion: criterion, Drawn: drawable}
		if drawable {
			entry.Plot = section.Draw(fmt.Sprintf("band-%d", i+1), panel)
		}
		list = append(list, entry)
	}
	return list
}

// drawn are the panels of a section of charts.
func drawn(section report.Section) []report.Plot {
	var plots []report.Plot
	section.Marks = slices.Clone(section.Marks)
	for i := range section.Marks {
		section.Marks[i].Label = sanitize.Line(section.Marks[i].Label)
	}
	for i, panel := range section.Panels {
		panel.Title = sanitize.Line(panel.Title)
		plots = append(plots, section.Draw(fmt.Sprintf("chart-%d", i+1), panel))
	}
	return plots
}

// line is any value as one line.
func line(value any) string { return sanitize.Line(fmt.Sprint(value)) }

func number(value *float64) string { return fmt.Sprintf("%.1f", *value) }

func describe(entry ledger.Entry) string { return sanitize.Line(entry.Describe()) }

// newest are the entries, the newest first.
func newest(entries []ledger.Entry) []ledger.Entry {
	reversed := slices.Clone(entries)
	slices.Reverse(reversed)
	return reversed
}

// tone is the class of a word.
func tone(word any) string {
	switch fmt.Sprint(word) {
	case "pass", string(status.InOrder):
		return "good"
	case "fail", string(status.OutOfOrder), "critical":
		return "bad"
	default:
		return "warn"
	}
}

// tailLines is how much of a log the page shows. `rollout evidence get --logs` shows all that was kept.
const tailLines = 20

// tail are the last lines of a pod's logs, by container.
func tail(pod rollback.PodEvidence) map[string]string {
	logs := map[string]string{}
	for container, log := range pod.Logs {
		lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
		logs[sanitize.Line(container)] = sanitize.Text(strings.Join(lines[max(0, len(lines)-tailLines):], "\n"))
	}
	return logs
}
