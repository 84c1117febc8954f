package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/gate"
)

func TestExitCodes(t *testing.T) {
	for want, errs := range map[int][]error{
		ExitDone:   {nil, OfVerdict(gate.Pass)},
		ExitFailed: {errors.New("x"), OfVerdict(gate.Fail), ErrDeclined},
		ExitUsage:  {fmt.Errorf("wrapped: %w", Usage(errors.New("x")))},
		ExitUnknown: {OfVerdict(gate.Inconclusive), OfVerdict(gate.Error),
			fmt.Errorf("wrapped: %w", Unknown(errors.New("x")))},
	} {
		for _, err := range errs {
			if got := ExitCode(err); got != want {
				t.Errorf("%v: exit code %d, want %d", err, got, want)
			}
		}
	}
	if Silent(errors.New("x")) || Silent(Unknown(errors.New("x"))) || !Silent(OfVerdict(gate.Fail)) ||
		!Silent(OfVerdict(gate.Error)) {
		t.Error("what is silent is wrong")
	}
}

func TestConfirm(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	never, _ := io.Pipe()
	tests := []struct {
		name string
		ctx  context.Context
		in   io.Reader
		want error
		code int
	}{
		{"yes", t.Context(), strings.NewReader("yes\n"), nil, ExitDone},
		{"y at the end of the input", t.Context(), strings.NewReader("Y"), nil, ExitDone},
		{"no", t.Context(), strings.NewReader("n\n"), ErrDeclined, ExitFailed},
		{"nothing but return", t.Context(), strings.NewReader("\n"), ErrDeclined, ExitFailed},
		{"interrupted", stopped, never, ErrDeclined, ExitFailed},
		{"nobody there", t.Context(), strings.NewReader(""), nil, ExitUsage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Confirm(tt.ctx, tt.in, &out, "Advance to 30 %?")
			if tt.want != nil && !errors.Is(err, tt.want) || ExitCode(err) != tt.code {
				t.Errorf("%v, exit code %d", err, ExitCode(err))
			}
			if !strings.Contains(out.String(), "Advance to 30 %?") {
				t.Errorf("asked %q", out.String())
			}
		})
	}
}

// answered is a context that has ended, and is asked whether it has only once the answer is there too.
type answered struct {
	context.Context
	given chan struct{}
}

func (a answered) Done() <-chan struct{} {
	<-a.given
	time.Sleep(time.Millisecond) // until the answer was handed over
	return a.Context.Done()
}

// yes is an answer that tells when it was read.
type yes struct{ given chan struct{} }

func (y yes) Read(into []byte) (int, error) {
	close(y.given)
	return copy(into, "yes\n"), nil
}

// Where an answer and a Ctrl-C are both there, which of them is seen is up to chance: the Ctrl-C must count every time.
func TestAnInterruptOverrulesAYes(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for range 50 {
		given := make(chan struct{})
		if err := Confirm(answered{stopped, given}, yes{given}, io.Discard, "Advance to 30 %?"); !errors.Is(err,
			ErrDeclined) {
			t.Fatalf("an interrupted question was answered: %v", err)
		}
	}
}

func TestOutput(t *testing.T) {
	if _, err := NewOutput("yaml", io.Discard); ExitCode(err) != ExitUsage ||
		!strings.Contains(err.Error(), "table, json") {
		t.Errorf("yaml: %v", err)
	}
	value := map[string]string{"reason": "a < b"}
	var written bytes.Buffer
	output, err := NewOutput(FormatJSON, &written)
	if err != nil {
		t.Fatal(err)
	}
	if err := output.Print(value, nil); err != nil {
		t.Fatal(err)
	}
	var read map[string]string
	if err := json.Unmarshal(written.Bytes(), &read); err != nil || read["reason"] != value["reason"] ||
		strings.Contains(written.String(), "u003c") {
		t.Errorf("printed %s: %v", written.String(), err)
	}
	written.Reset()
	output.Format = FormatTable
	text := func(style Style) string {
		return Table([]string{"TRACK", "PODS"}, [][]string{{style.Good("stable"), "9"}, {style.Bad("canary"), "1 of 3"}})
	}
	if err := output.Print(nil, text); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("TRACK   PODS\nstable  9\ncanary  1 of 3\n", written.String()); diff != "" {
		t.Errorf("no terminal, so no colour (-want +got):\n%s", diff)
	}
}
