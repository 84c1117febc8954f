package ledger

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recorded holds the ledger's ConfigMap and the annotation of the release record.
type recorded struct {
	data    map[string]string
	version int
	head    string
	fails   error
}

func (c *recorded) ConfigMap(context.Context, string, string) (map[string]string, string, error) {
	return maps.Clone(c.data), strconv.Itoa(c.version), nil
}

func (c *recorded) SwapConfigMap(_ context.Context, _, _ string, data map[string]string, _ string) error {
	c.data, c.version = maps.Clone(data), c.version+1
	return nil
}

func (c *recorded) ConfigMapAnnotation(context.Context, string, string, string) (string, error) {
	return c.head, c.fails
}

func (c *recorded) AnnotateConfigMap(_ context.Context, _, _, _, value string) error {
	c.head = value
	return c.fails
}

// witnessed is a ledger that ends with a latch, whose head the release record keeps.
func witnessed(t *testing.T) (*recorded, InConfigMap) {
	t.Helper()
	c := &recorded{}
	store := InConfigMap{Cluster: c, Record: "record"}
	for _, entry := range []Entry{{Kind: ShiftReached, Image: "sha256:11", To: 10},
		{Kind: Checkpoint, Verdict: "pass"}, {Kind: Checkpoint, Verdict: "pass"},
		{Kind: RollbackBegun, Image: "sha256:11"}} {
		if _, err := Write(t.Context(), store, time.Now, entry); err != nil {
			t.Fatal(err)
		}
	}
	if head, err := ParseHead(c.head); err != nil || head.Seq != 4 {
		t.Fatalf("the record keeps %q: %v", c.head, err)
	}
	return c, store
}

// forged renews every checksum of a history that was edited: the chain has no key.
func forged(t *testing.T, entries ...Entry) map[string]string {
	t.Helper()
	history, previous := &Ledger{}, ""
	for _, entry := range entries {
		sealed, err := seal(entry, previous)
		if err != nil {
			t.Fatal(err)
		}
		history.entries, previous = append(history.entries, sealed), sealed.Sum
	}
	return history.data()
}

func TestALossIsSeenAtEveryReading(t *testing.T) {
	tests := map[string]func(t *testing.T, c *recorded){
		"the last line is cut": func(_ *testing.T, c *recorded) {
			lines := strings.SplitAfter(c.data[keyHistory], "\n")
			c.data[keyHistory] = strings.Join(lines[:3], "")
		},
		"deleted": func(_ *testing.T, c *recorded) { c.data = nil },
		"an older copy is restored": func(_ *testing.T, c *recorded) {
			whole := c.data[keyHistory]
			c.data[keyHistory] = strings.SplitAfter(whole, "\n")[0]
		},
		"cut, and as long as it was": func(t *testing.T, c *recorded) {
			c.data = forged(t, Entry{Seq: 1, Kind: ShiftReached, Image: "sha256:11", To: 10},
				Entry{Seq: 2, Kind: Checkpoint}, Entry{Seq: 3, Kind: Checkpoint}, Entry{Seq: 4, Kind: Checkpoint})
		},
		"without the latch, as if compacted": func(t *testing.T, c *recorded) {
			whole, err := Parse(c.data)
			if err != nil {
				t.Fatal(err)
			}
			c.data = forged(t, whole.entries[0], Entry{Seq: 3, Kind: Checkpoints, Folded: 2},
				Entry{Seq: 9, Kind: Checkpoint})
		},
		"with another beginning of its soak": func(t *testing.T, c *recorded) {
			whole, err := Parse(c.data)
			if err != nil {
				t.Fatal(err)
			}
			early := whole.entries[0]
			early.Time, early.line = early.Time.Add(-398*time.Hour), ""
			c.data = forged(t, early, whole.entries[1], whole.entries[2], whole.entries[3])
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			c, store := witnessed(t)
			kept := c.head
			spoil(t, c)
			for range 2 {
				if left, err := Read(t.Context(), store); !errors.Is(err, ErrCut) || left == nil {
					t.Fatalf("read %v: %v", left, err)
				}
			}
			// Nothing goes up on it, and what takes a canary out is noted all the same.
			_, err := Write(t.Context(), store, time.Now, Entry{Kind: ShiftBegun, To: 30})
			if !errors.Is(err, ErrCut) {
				t.Errorf("a shift is noted: %v", err)
			}
			if _, err := Write(t.Context(), store, time.Now, Entry{Kind: RollbackBegun, Image: "sha256:22"}); err != nil {
				t.Errorf("a rollback: %v", err)
			}
			if c.head != kept {
				t.Errorf("the head %s became %s", kept, c.head)
			}
			acceptLoss(t, store)
			// The same loss once more is another one.
			whole := c.data
			c.data = nil
			if _, err := Read(t.Context(), store); !errors.Is(err, ErrCut) {
				t.Errorf("cut again: %v", err)
			}
			c.data = whole
			if _, err := Read(t.Context(), store); err != nil {
				t.Errorf("restored: %v", err)
			}
		})
	}
}

// acceptLoss goes on with a ledger that has lost entries.
func acceptLoss(t *testing.T, store Store) {
	t.Helper()
	_, lost, is, err := Lost(t.Context(), store)
	if err != nil || !is || lost.Seq != 4 {
		t.Fatalf("lost %+v, %v: %v", lost, is, err)
	}
	accepted, err := Write(t.Context(), store, time.Now, Entry{Kind: Accepted, Reason: "a drill", Lost: &lost})
	if err != nil {
		t.Fatal(err)
	}
	last := accepted.entries[len(accepted.entries)-1]
	if last.Seq <= lost.Seq || !strings.Contains(last.Describe(), "accepted the loss of entries up to 4 (a drill)") {
		t.Errorf("entry %d: %s", last.Seq, last.Describe())
	}
	if _, err := Write(t.Context(), store, time.Now, Entry{Kind: ShiftReached, Image: "sha256:33", To: 10}); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// A head that lags behind, because its last keeping failed, is no loss; nor is a compaction.
func TestAHeadThatLagsBehindIsNoLoss(t *testing.T) {
	c, store := witnessed(t)
	behind := c.head
	for range 3 {
		if _, err := Write(t.Context(), store, time.Now, Entry{Kind: SmokeTested}); err != nil {
			t.Fatal(err)
		}
	}
	for _, head := range []string{behind, ""} {
		c.head = head
		if _, err := Read(t.Context(), store); err != nil {
			t.Errorf("behind %q: %v", head, err)
		}
	}
	whole, err := Parse(c.data)
	if err != nil {
		t.Fatal(err)
	}
	folded, err := whole.folded()
	if err != nil {
		t.Fatal(err)
	}
	c.data, c.head = folded.data(), whole.Head().String()
	if _, err := Read(t.Context(), store); err != nil {
		t.Errorf("compacted: %v", err)
	}
	c.head = "no head"
	if _, err := Read(t.Context(), store); err == nil || !strings.Contains(err.Error(), "kubectl annotate") {
		t.Errorf("an annotation that is no head: %v", err)
	}
	c.fails = errors.New("forbidden")
	if _, err := Read(t.Context(), store); err == nil || errors.Is(err, ErrCut) {
		t.Errorf("a record that cannot be read: %v", err)
	}
}

// What the stack remembers counts where the release record was deleted with the ledger.
func TestTheStackRemembersWhatTheClusterForgot(t *testing.T) {
	c, store := witnessed(t)
	store.Remembered, _ = ParseHead(c.head)
	c.data, c.head = nil, ""
	if _, err := Read(t.Context(), store); !errors.Is(err, ErrCut) {
		t.Errorf("error %v", err)
	}
	acceptLoss(t, store)
	if _, err := KeepHead(t.Context(), store); err != nil || c.head == "" {
		t.Errorf("kept %q: %v", c.head, err)
	}
}
