package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// colourful is an output on a terminal with colours.
func colourful(format string, into *bytes.Buffer) *Output {
	renderer := lipgloss.NewRenderer(into)
	renderer.SetColorProfile(termenv.ANSI256)
	return &Output{Format: format, Writer: into, Style: Style{renderer}}
}

const takesOver = "\x1b[2J\x1b]0;title\x07\x1b[8mhidden\u009b31m \u202edeen"

// Whatever a command prints of a pod or a server, a terminal sees no more of it than its letters. The colours of this
// program stay.
func TestNothingPrintedTakesOverTheTerminal(t *testing.T) {
	for name, output := range map[string]func(*bytes.Buffer) *Output{
		"with colours": func(into *bytes.Buffer) *Output { return colourful(FormatTable, into) },
		"without":      func(into *bytes.Buffer) *Output { return &Output{Format: FormatTable, Writer: into} },
	} {
		t.Run(name, func(t *testing.T) {
			var written bytes.Buffer
			o := output(&written)
			err := o.Print(nil, func(style Style) string {
				return style.Bad("bad") + " " + style.Faint(takesOver) + "\n" +
					takesOver
			})
			if err != nil {
				t.Fatal(err)
			}
			want := o.Style.Bad("bad") + " " + o.Style.Faint("hidden deen") + "\nhidden deen\n"
			if written.String() != want {
				t.Errorf("printed %q, want %q", written.String(), want)
			}
			if coloured := strings.Contains(written.String(), "\x1b[31m"); coloured != (name == "with colours") {
				t.Errorf("coloured: %v", coloured)
			}
		})
	}
}

func TestJSONIsPlainAndMeansTheSame(t *testing.T) {
	var written bytes.Buffer
	o := colourful(FormatJSON, &written)
	if err := o.Line(map[string]string{"line": takesOver}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(written.String(), "\x1b\u009b\u202e\x07") {
		t.Errorf("printed %q", written.String())
	}
	var back map[string]string
	if err := json.Unmarshal(written.Bytes(), &back); err != nil || back["line"] != takesOver {
		t.Errorf("%q, %v", back["line"], err)
	}
}

func TestACellMakesUpNoRow(t *testing.T) {
	table := Table([]string{"POD", "WHY"}, [][]string{{"a", "no\nb    all good"}, {"c", "d"}})
	if got := strings.Count(table, "\n"); got != 3 {
		t.Errorf("%d lines:\n%s", got, table)
	}
}

// A value that JSON cannot hold leaves no half of it behind.
func TestAnOutcomeThatCannotBeEncoded(t *testing.T) {
	var written bytes.Buffer
	err := colourful(FormatJSON, &written).Print(map[string]any{"good": 1, "never": math.NaN()}, nil)
	if err == nil || !strings.Contains(err.Error(), "NaN") || written.Len() > 0 {
		t.Errorf("printed %q: %v", written.String(), err)
	}
}

// Headings above nothing would look like a table that lost its rows.
func TestATableWithoutRowsIsEmpty(t *testing.T) {
	if table := Table([]string{"POD", "WHY"}, nil); table != "" {
		t.Errorf("printed %q", table)
	}
}

func TestABufferIsNoTerminal(t *testing.T) {
	if colourful(FormatTable, &bytes.Buffer{}).Terminal() {
		t.Error("the status would draw over itself in a file")
	}
}

func TestTheMarksOfAnErrorKeepItsCause(t *testing.T) {
	for _, err := range []error{Usage(ErrDeclined), Unknown(ErrDeclined)} {
		if !errors.Is(err, ErrDeclined) || err.Error() != ErrDeclined.Error() {
			t.Errorf("%T: %v", err, err)
		}
	}
}
