package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"golang.org/x/term"

	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// Formats of an output.
const (
	FormatTable = "table"
	FormatJSON  = "json"
)

// Formats lists them.
func Formats() []string { return []string{FormatTable, FormatJSON} }

// Output is where a command prints its outcome.
type Output struct {
	// Format is one of Formats.
	Format string
	Writer io.Writer
	// Style colours texts where Writer is a terminal.
	Style Style
}

// NewOutput makes an output; a format that does not exist is a UsageError.
func NewOutput(format string, w io.Writer) (*Output, error) {
	if format != FormatTable && format != FormatJSON {
		return nil, Usage(fmt.Errorf("output %q: allowed are %s", format, strings.Join(Formats(), ", ")))
	}
	return &Output{Format: format, Writer: w, Style: StyleFor(w)}, nil
}

// JSON tells that the outcome is for a program: nothing else may be printed beside it.
func (o *Output) JSON() bool { return o.Format == FormatJSON }

// Print prints the value as JSON, or what text makes of it for people.
func (o *Output) Print(value any, text func(Style) string) error {
	if o.JSON() {
		return o.encode(value, "  ")
	}
	return o.Text(strings.TrimRight(text(o.Style), "\n") + "\n")
}

// Line prints the value as JSON in one line.
func (o *Output) Line(value any) error { return o.encode(value, "") }

func (o *Output) encode(value any, indent string) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetIndent("", indent)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := o.Writer.Write(sanitize.JSON(encoded.Bytes()))
	return err
}

// Text prints a text for people. What stands in it of pods, servers and the cluster cannot act on a terminal, whoever
// made the text: nothing but the colours of Style is let through.
func (o *Output) Text(text string) error {
	_, err := io.WriteString(o.Writer, o.Style.clean(text))
	return err
}

// Terminal tells that a person looks at the output as it comes.
func (o *Output) Terminal() bool {
	file, ok := o.Writer.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Style colours texts. The zero Style leaves them as they are.
type Style struct{ renderer *lipgloss.Renderer }

// StyleFor is the style for a writer: without colours unless it is a terminal that has them, and where NO_COLOR is set.
func StyleFor(w io.Writer) Style { return Style{lipgloss.NewRenderer(w)} }

// clean leaves nothing in a text that a terminal acts on, but for the colours where there are any.
func (s Style) clean(text string) string {
	if s.Bold("x") == "x" {
		return sanitize.Text(text)
	}
	return sanitize.Coloured(text)
}

func (s Style) render(color lipgloss.Color, text string) string {
	if s.renderer == nil || text == "" {
		return text
	}
	return s.renderer.NewStyle().Foreground(color).Render(text)
}

// Good is for what is in order.
func (s Style) Good(text string) string { return s.render("2", text) }

// Bad is for what is not.
func (s Style) Bad(text string) string { return s.render("1", text) }

// Warn is for what a person should look at.
func (s Style) Warn(text string) string { return s.render("3", text) }

// Faint is for what matters less.
func (s Style) Faint(text string) string { return s.render("8", text) }

// Bold is for headings.
func (s Style) Bold(text string) string {
	if s.renderer == nil || text == "" {
		return text
	}
	return s.renderer.NewStyle().Bold(true).Render(text)
}

// Table aligns rows below headings, which may be left out; cells may be coloured, and are on one line, so that none
// makes up a row. Without rows it is empty.
func Table(headings []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	if len(headings) > 0 {
		rows = append([][]string{headings}, rows...)
	}
	var widths []int
	for _, row := range rows {
		for column := range row {
			row[column] = oneLine.Replace(row[column])
			cell := row[column]
			if column == len(widths) {
				widths = append(widths, 0)
			}
			widths[column] = max(widths[column], lipgloss.Width(cell))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for column, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[column]-lipgloss.Width(cell)+gap))
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

// oneLine takes the lines out of a cell.
var oneLine = strings.NewReplacer("\n", " ", "\t", " ", "\r", "")

// gap is the space between two columns.
const gap = 2
