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

// Output formats.
const (
	FormatTable = "table"
	FormatJSON  = "json"
)

// Formats lists the output formats.
func Formats() []string { return []string{FormatTable, FormatJSON} }

// Output prints the outcome of a command.
type Output struct {
	// Format is one of Formats.
	Format string
	Writer io.Writer
	// Style colours texts where Writer is a terminal.
	Style Style
	// Rewrite changes everything that is printed; nil for nothing.
	Rewrite func(string) string
}

// NewOutput returns an output in the given format. An unknown format is a UsageError.
func NewOutput(format string, w io.Writer) (*Output, error) {
	if format != FormatTable && format != FormatJSON {
		return nil, Usage(fmt.Errorf("output %q: allowed are %s", format, strings.Join(Formats(), ", ")))
	}
	return &Output{Format: format, Writer: w, Style: StyleFor(w)}, nil
}

// JSON reports whether the output is for a program. Nothing but the outcome may be printed then.
func (o *Output) JSON() bool { return o.Format == FormatJSON }

// Print prints the value as JSON, or text for people.
func (o *Output) Print(value any, text func(Style) string) error {
	if o.JSON() {
		return o.encode(value, "  ")
	}
	return o.Text(strings.TrimRight(text(o.Style), "\n") + "\n")
}

// Line prints the value as JSON on one line.
func (o *Output) Line(value any) error { return o.encode(value, "") }

func (o *Output) encode(value any, indent string) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetIndent("", indent)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(o.Writer, o.Rewritten(string(sanitize.JSON(encoded.Bytes()))))
	return err
}

// Text prints a text for people. It strips every control character and escape sequence except the colours of Style,
// because parts of the text come from pods, servers and the cluster and must not act on the terminal.
func (o *Output) Text(text string) error {
	_, err := io.WriteString(o.Writer, o.Rewritten(o.Style.clean(text)))
	return err
}

// Rewritten is a text as the output prints it.
func (o *Output) Rewritten(text string) string {
	if o.Rewrite == nil {
		return text
	}
	return o.Rewrite(text)
}

// Rewriting is a writer that changes every text before it writes it.
func Rewriting(to io.Writer, rewrite func(string) string) io.Writer { return rewriter{to, rewrite} }

type rewriter struct {
	to      io.Writer
	rewrite func(string) string
}

// Write implements io.Writer. It reports the length that it was given.
func (r rewriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(r.to, r.rewrite(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Terminal reports whether the output goes to a terminal.
func (o *Output) Terminal() bool {
	file, ok := o.Writer.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Style colours texts. The zero Style returns them unchanged.
type Style struct{ renderer *lipgloss.Renderer }

// StyleFor returns the style for a writer. It has colours only on a terminal that supports them and without NO_COLOR.
func StyleFor(w io.Writer) Style { return Style{lipgloss.NewRenderer(w)} }

// clean strips everything that a terminal acts on, except colours where the style has any.
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

// Good colours good news.
func (s Style) Good(text string) string { return s.render("2", text) }

// Bad colours bad news.
func (s Style) Bad(text string) string { return s.render("1", text) }

// Warn colours warnings.
func (s Style) Warn(text string) string { return s.render("3", text) }

// Faint colours secondary text.
func (s Style) Faint(text string) string { return s.render("8", text) }

// Bold renders headings.
func (s Style) Bold(text string) string {
	if s.renderer == nil || text == "" {
		return text
	}
	return s.renderer.NewStyle().Bold(true).Render(text)
}

// Table aligns rows below optional headings. Cells may be coloured. Line breaks in a cell become spaces, so that no
// cell can fake a row. Without rows the table is empty.
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

// oneLine puts a cell on one line.
var oneLine = strings.NewReplacer("\n", " ", "\t", " ", "\r", "")

// gap is the space between two columns.
const gap = 2
