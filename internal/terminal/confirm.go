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

// ErrDeclined says that the person who was asked did not agree.
var ErrDeclined = errors.New("not confirmed; nothing was changed")

// Confirm asks before something changes and gives nil when the answer is yes. The end of the context, which is what
// Ctrl-C makes, is a no. Where nobody can answer, because in is no terminal and holds nothing, it is a UsageError
// that names --yes.
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
			// Both are there, and the later word is the no.
			fmt.Fprintln(out)
			return ErrDeclined
		}
		if !given {
			fmt.Fprintln(out)
			if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
				return ErrDeclined
			}
			return Usage(errors.New("there is nobody to ask: give --yes to go on without"))
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return nil
		default:
			return ErrDeclined
		}
	}
}
