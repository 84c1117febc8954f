package ledger

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// lines are those of a ledger's history.
func (c *recorded) lines() []string {
	return strings.SplitAfter(strings.TrimSpace(c.data[keyHistory])+"\n", "\n")[:4]
}

func (c *recorded) write(lines ...string) { c.data[keyHistory] = strings.Join(lines, "") }

// entries are those of the ledger before it was tampered with, to be sealed anew.
func (c *recorded) entries(t *testing.T) []Entry {
	t.Helper()
	whole, err := Parse(c.data)
	if err != nil {
		t.Fatal(err)
	}
	list := whole.Entries()
	for i := range list {
		list[i].line, list[i].Sum = "", ""
	}
	return list
}

// another is the ledger of another rollout, which is longer.
func another(t *testing.T) *recorded {
	t.Helper()
	c := &recorded{}
	for range 7 {
		if _, err := Write(t.Context(), InConfigMap{Cluster: c}, time.Now, Entry{Kind: ShiftReached, Image: "sha256:77",
			To: 10}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// Who may write the ledger's ConfigMap and no other is seen at the next reading.
func TestATamperedLedgerIsNotRead(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, c *recorded)
		want  error
	}{
		"two lines change places": {func(_ *testing.T, c *recorded) {
			l := c.lines()
			c.write(l[0], l[2], l[1], l[3])
		}, ErrEdited},
		"all lines in the other order": {func(_ *testing.T, c *recorded) {
			l := c.lines()
			slices.Reverse(l)
			c.write(l...)
		}, ErrEdited},
		"a line twice": {func(_ *testing.T, c *recorded) {
			l := c.lines()
			c.write(l[0], l[1], l[1], l[2], l[3])
		}, ErrEdited},
		"the last line twice": {func(_ *testing.T, c *recorded) { c.write(append(c.lines(), c.lines()[3])...) }, ErrEdited},
		"the whole twice":     {func(_ *testing.T, c *recorded) { c.write(append(c.lines(), c.lines()...)...) }, ErrEdited},
		"a line is missing": {func(_ *testing.T, c *recorded) {
			l := c.lines()
			c.write(l[0], l[1], l[3])
		}, ErrEdited},
		"the first line is missing": {func(_ *testing.T, c *recorded) { c.write(c.lines()[1:]...) }, ErrEdited},
		"a line of another ledger": {func(t *testing.T, c *recorded) {
			c.write(append(c.lines(), another(t).lines()[3])...)
		}, ErrEdited},
		"the end of another ledger": {func(t *testing.T, c *recorded) {
			c.write(append(c.lines()[:2], another(t).lines()[2:]...)...)
		}, ErrEdited},
		"another ledger":   {func(t *testing.T, c *recorded) { c.data = another(t).data }, ErrCut},
		"an empty history": {func(_ *testing.T, c *recorded) { c.data[keyHistory] = "" }, ErrCut},
		"the other order, sealed anew": {func(t *testing.T, c *recorded) {
			l := c.entries(t)
			l[0].Seq, l[3].Seq = 4, 1
			c.data = forged(t, l[3], l[1], l[2], l[0])
		}, ErrCut},
		"the latch twice, sealed anew": {func(t *testing.T, c *recorded) {
			l := c.entries(t)
			l[2] = l[3]
			l[2].Seq = 3
			c.data = forged(t, l...)
		}, ErrCut},
		"a latch of another image, sealed anew": {func(t *testing.T, c *recorded) {
			l := c.entries(t)
			l[3].Image = "sha256:22"
			c.data = forged(t, l...)
		}, ErrCut},
		"the latch as a checkpoint, and entries after it": {func(t *testing.T, c *recorded) {
			l := c.entries(t)
			l[3].Kind = Checkpoint
			c.data = forged(t, append(l, Entry{Seq: 5, Kind: Checkpoint}, Entry{Seq: 6, Kind: Checkpoint})...)
		}, ErrCut},
		"an older format": {func(_ *testing.T, c *recorded) { c.data["format"] = "x" }, ErrUnreadable},
	} {
		c, store := witnessed(t)
		tt.spoil(t, c)
		if _, err := Read(t.Context(), store); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if _, err := Write(t.Context(), store, time.Now, Entry{Kind: ShiftBegun, To: 30}); err == nil {
			t.Errorf("%s: a shift is noted", name)
		}
	}
}

// An old copy of both, ledger and record, fits together. What the stack remembers tells.
func TestAnOldCopyOfLedgerAndRecord(t *testing.T) {
	c, store := witnessed(t)
	now, err := ParseHead(c.head)
	if err != nil {
		t.Fatal(err)
	}
	l := c.lines()
	c.write(l[:3]...)
	old, err := Parse(c.data)
	if err != nil {
		t.Fatal(err)
	}
	c.head = old.Head().String()
	if _, err := Read(t.Context(), store); err != nil {
		t.Errorf("they do not fit: %v", err)
	}
	store.Remembered = now
	if _, err := Read(t.Context(), store); !errors.Is(err, ErrCut) {
		t.Errorf("the stack's own head: %v", err)
	}
}
