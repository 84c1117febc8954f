package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed page.html
var page string

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
	"draw":    drawn,
}).Parse(page))

// drawn lays out a panel for the template.
func drawn(section, panel int, sections []Section) plot {
	return sections[section].draw(fmt.Sprintf("chart-%d-%d", section+1, panel+1), sections[section].Panels[panel])
}

// HTML renders the report as one self-contained page, without scripts and external fonts or images.
func (r *Report) HTML() (string, error) {
	var out strings.Builder
	if err := pageTemplate.Execute(&out, r); err != nil {
		return "", fmt.Errorf("write the page: %w", err)
	}
	return out.String(), nil
}
