package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"
)

var (
	//go:embed page.html
	page string
	//go:embed plot.html
	plotPart string
	// Style is the style of the page and of its plots.
	//
	//go:embed page.css
	Style string
)

// WithPlot adds the part "plot" to a template: a [Plot] as an SVG, in the classes of [Style].
func WithPlot(t *template.Template) (*template.Template, error) { return t.Parse(plotPart) }

// pageTemplate escapes each value for its context.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"moment":  moment,
	"capital": capital,
	"word":    word,
	"cells":   cells,
	"round":   func(d time.Duration) string { return d.Round(time.Second).String() },
	"until":   Stage.until,
	"watched": Stage.watched,
	"done":    Rollback.done,
	"day":     func(t time.Time) string { return t.Format(time.DateOnly) },
	"draw":    drawn,
	"style":   func() template.CSS { return template.CSS(Style) }, //nolint:gosec // it is a constant of the program
}).Parse(plotPart + page))

// drawn lays out a panel for the template.
func drawn(section, panel int, sections []Section) Plot {
	return sections[section].Draw(fmt.Sprintf("chart-%d-%d", section+1, panel+1), sections[section].Panels[panel])
}

// HTML renders the report as one self-contained page, without scripts and external fonts or images.
func (r *Report) HTML() (string, error) {
	var out strings.Builder
	if err := pageTemplate.Execute(&out, r); err != nil {
		return "", fmt.Errorf("write the page: %w", err)
	}
	return out.String(), nil
}
