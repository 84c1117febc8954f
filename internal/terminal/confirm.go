package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ErrDeclined is returned when the operator answers no.
var ErrDeclined = errors.New("not confirmed; nothing was changed")

// Confirm asks the operator before something changes and returns nil for a yes. A no and the end of the context
// (Ctrl-C) return ErrDeclined. Where nobody can answer, because in is no terminal and is at its end, the error is a
// UsageError that names --yes.
func Confirm(ctx context.Context, in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", question)
	answers := make(chan string, 1)
	go func() {
		defer close(answers)
		if line, err := bufio.NewReader(in).ReadString('\n'); err == nil || line != "" {
			answers <- line
		}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out)
		return ErrDeclined
	case answer, given := <-answers:
		if ctx.Err() != nil {
			// Both arrived; the interrupt came later.
			fmt.Fprintln(out)
			return ErrDeclined
		}
		if !given {
			fmt.Fprintln(out)
			if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
				return ErrDeclined
			}
			return Usage(errors.New("no terminal to ask for confirmation: pass --yes to skip the question"))
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return nil
		default:
			return ErrDeclined
		}
	}
}
