package progress

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

func TestRunSaysHowLongItTookAndHowItEnded(t *testing.T) {
	var out bytes.Buffer
	at := &clock{now: time.Unix(1000, 0)}
	r := newReporter(&out, false, func() time.Time { return at.now })
	cause := errors.New("no disk")
	for _, want := range []error{nil, cause} {
		err := r.Run("build x", func(*Task) error { at.advance(75 * time.Second); return want })
		if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	want := "build x: done in 1m15s\nbuild x: failed in 1m15s\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestALogGetsALineNowAndThen(t *testing.T) {
	var out bytes.Buffer
	at := &clock{now: time.Unix(1000, 0)}
	r := newReporter(&out, false, func() time.Time { return at.now })
	task := &Task{title: "build x", started: at.now, logged: at.now}
	task.Detail("7 packages compiled")
	r.active = []*Task{task}
	for range 60 {
		at.advance(time.Second)
		r.show()
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 || lines[3] != "... build x  1m0s (7 packages compiled)" {
		t.Errorf("a minute gave %d lines: %q", len(lines), lines)
	}
}

func TestATerminalGetsOneLiveLineForAllTasks(t *testing.T) {
	var out bytes.Buffer
	at := &clock{now: time.Unix(1000, 0)}
	r := newReporter(&out, true, func() time.Time { return at.now })
	r.active = []*Task{{title: "one", started: at.now}, {title: "two", started: at.now}}
	at.advance(3 * time.Second)
	r.show()
	r.show()
	r.Say("note")
	want := "one  3s | two  3s" + "\r\x1b[K" + "one  3s | two  3s" + "\r\x1b[K" + "note\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
