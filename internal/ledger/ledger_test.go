package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a Store with the compare-and-swap of the API server.
type memory struct {
	mu      sync.Mutex
	data    map[string]string
	version int
	// before is called between loading and saving; it may be nil.
	before func()
}

func (m *memory) Load(context.Context) (map[string]string, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.version == 0 {
		return nil, "", nil
	}
	return maps.Clone(m.data), strconv.Itoa(m.version), nil
}

func (m *memory) Save(_ context.Context, data map[string]string, version string) error {
	if m.before != nil {
		before := m.before
		m.before = nil
		before()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if current := strconv.Itoa(m.version); version != current && (version != "" || m.version != 0) {
		return fmt.Errorf("version %s is not %s: %w", version, current, ErrConflict)
	}
	m.data, m.version = maps.Clone(data), m.version+1
	return nil
}

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// clock gives a later time at every call.
func clock() func() time.Time {
	at := start
	return func() time.Time { at = at.Add(time.Minute); return at }
}

func write(t *testing.T, store Store, now func() time.Time, entries ...Entry) *Ledger {
	t.Helper()
	var ledger *Ledger
	for _, entry := range entries {
		var err error
		if ledger, err = Write(t.Context(), store, now, entry); err != nil {
			t.Fatal(err)
		}
	}
	return ledger
}

const (
	stable   = "sha256:00"
	onTrial  = "sha256:11"
	newImage = "sha256:22"
)

func begun(image string, from, to int) Entry {
	return Entry{Kind: ShiftBegun, Who: "ann", Release: "v2", Image: image, Stable: stable, From: from, To: to}
}

func reached(image string, to int) Entry {
	return Entry{Kind: ShiftReached, Who: "ann", Release: "v2", Image: image, Stable: stable, To: to}
}

func TestState(t *testing.T) {
	entered := []Entry{begun(onTrial, 0, 10), reached(onTrial, 10)}
	tests := []struct {
		name       string
		entries    []Entry
		weight     int
		image      string
		begun      bool
		soak       int // minutes after start, 0 for none
		extensions int
		latched    string
		former     string
	}{
		{name: "empty"},
		{name: "allowed", entries: entered[:1], begun: true},
		{name: "reached", entries: entered, weight: 10, image: onTrial, soak: 2},
		{name: "verified again", entries: append(entered[:2:2], reached(onTrial, 10)), weight: 10, image: onTrial, soak: 2},
		{name: "extended", entries: append(entered[:2:2], Entry{Kind: Extended}), weight: 10, image: onTrial, soak: 2,
			extensions: 1},
		{name: "next stage", entries: append(entered[:2:2], Entry{Kind: Extended}, begun(onTrial, 10, 30),
			reached(onTrial, 30)), weight: 30, image: onTrial, soak: 5},
		{name: "interrupted", entries: append(entered[:2:2], begun(onTrial, 10, 30)), weight: 10, image: onTrial, soak: 2,
			begun: true},
		{name: "other image", entries: append(entered[:2:2], begun(newImage, 0, 10), reached(newImage, 10)), weight: 10,
			image: newImage, soak: 4},
		{name: "being rolled back", entries: append(entered[:2:2], Entry{Kind: RollbackBegun, Image: onTrial}),
			image: onTrial, latched: onTrial},
		{name: "rolled back", entries: append(entered[:2:2], Entry{Kind: RollbackBegun, Image: onTrial},
			Entry{Kind: RolledBack, Image: onTrial}), image: onTrial, latched: onTrial},
		{name: "rolled back while shifting", entries: append(entered[:2:2], begun(onTrial, 10, 30),
			Entry{Kind: RolledBack, Image: onTrial}), image: onTrial, latched: onTrial},
		{name: "rolled back before it was reached", entries: append(entered[:2:2], begun(newImage, 0, 10),
			Entry{Kind: RollbackBegun, Image: newImage}), image: newImage, latched: newImage},
		{name: "latch released", entries: append(entered[:2:2], Entry{Kind: RollbackBegun, Image: onTrial},
			Entry{Kind: LatchReleased, Ref: 3}), image: onTrial},
		{name: "another latch released", entries: append(entered[:2:2], Entry{Kind: RollbackBegun, Image: onTrial},
			Entry{Kind: LatchReleased, Ref: 2}), image: onTrial, latched: onTrial},
		{name: "latched anew after a release", entries: append(entered[:2:2], Entry{Kind: RollbackBegun, Image: onTrial},
			Entry{Kind: LatchReleased, Ref: 3},
			Entry{Kind: RollbackBegun, Image: onTrial}), image: onTrial, latched: onTrial},
		{name: "finished", entries: append(entered[:2:2], reached(onTrial, 100),
			Entry{Kind: Finished, Image: onTrial, Stable: onTrial}), image: onTrial, soak: 4, former: stable},
		{name: "unknown kind", entries: append(entered[:2:2], Entry{Kind: "attested", Image: newImage}), weight: 10,
			image: onTrial, soak: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := &memory{}
			write(t, store, clock(), tt.entries...)
			ledger, err := Read(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			s := ledger.State()
			if s.Weight != tt.weight || s.Image != tt.image || (s.Begun != nil) != tt.begun || s.Extensions != tt.extensions {
				t.Errorf("%+v", s)
			}
			if want := start.Add(time.Duration(tt.soak) * time.Minute); tt.soak > 0 && !s.SoakSince.Equal(want) ||
				tt.soak == 0 && !s.SoakSince.IsZero() {
				t.Errorf("the soak began at %v, want %v", s.SoakSince, want)
			}
			for _, image := range []string{onTrial, newImage, stable} {
				if _, latched := s.Latch(image); latched != (image == tt.latched) {
					t.Errorf("%s latched: %v", image, latched)
				}
			}
			if tt.former != "" && (len(s.Former) != 1 || s.Former[0] != tt.former || s.Stable != onTrial) {
				t.Errorf("stable %s, former %v", s.Stable, s.Former)
			}
		})
	}
}

func TestWhatCannotBeTrustedIsNotOverwritten(t *testing.T) {
	tests := []struct {
		name string
		spin func(map[string]string)
		want error
	}{
		{"newer format", func(d map[string]string) { d[keyFormat] = "2" }, ErrNewerFormat},
		{"no format", func(d map[string]string) { delete(d, keyFormat) }, ErrUnreadable},
		{"no JSON", func(d map[string]string) { d[keyHistory] += "{\n" }, ErrUnreadable},
		{"edited weight", func(d map[string]string) {
			d[keyHistory] = strings.Replace(d[keyHistory], `"to":10`, `"to":30`,
				1)
		}, ErrEdited},
		{"edited checksum", func(d map[string]string) {
			d[keyHistory] = strings.Replace(d[keyHistory], `"sum":"`, `"sum":"0`,
				1)
		}, ErrEdited},
		{"dropped entry", func(d map[string]string) {
			_, d[keyHistory], _ = strings.Cut(d[keyHistory], "\n")
		}, ErrEdited},
		{"blank line", func(d map[string]string) { d[keyHistory] += "\n" }, ErrUnreadable},
		{"cut off", func(d map[string]string) { d[keyHistory] = d[keyHistory][:len(d[keyHistory])-9] }, ErrUnreadable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := &memory{}
			write(t, store, clock(), begun(onTrial, 0, 10), reached(onTrial, 10))
			tt.spin(store.data)
			before := maps.Clone(store.data)
			if _, err := Write(t.Context(), store, clock(), reached(onTrial, 30)); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if !maps.Equal(before, store.data) {
				t.Error("it was overwritten")
			}
		})
	}
}

func TestFieldsOfANewerVersionAreKept(t *testing.T) {
	line := `{"seq":1,"time":"2026-03-02T09:00:00Z","kind":"attested","ref":3,"url":"https://example.com/audit","sum":"`
	body := `{"seq":1,"time":"2026-03-02T09:00:00Z","kind":"attested","ref":3,"url":"https://example.com/audit"}`
	store := &memory{version: 1, data: map[string]string{keyFormat: "1", keyHistory: line + chain("", body) + "\"}\n"}}
	ledger := write(t, store, clock(), begun(onTrial, 0, 10))
	if len(ledger.Entries()) != 2 || !strings.Contains(store.data[keyHistory], "https://example.com/audit") {
		t.Errorf("%s", store.data[keyHistory])
	}
	folded, err := ledger.folded()
	if err != nil || !strings.Contains(folded.data()[keyHistory], "https://example.com/audit") {
		t.Errorf("lost by compaction: %v", err)
	}
}

func TestWritersAtOnceLoseNothing(t *testing.T) {
	store := &memory{}
	const writers, each = 8, 25
	var group sync.WaitGroup
	errs := make(chan error, writers*each)
	for writer := range writers {
		group.Go(func() {
			for i := range each {
				_, err := Write(t.Context(), store, time.Now, Entry{Kind: Checkpoint, Who: fmt.Sprintf("%d/%d", writer, i)})
				errs <- err
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	ledger, err := Read(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, entry := range ledger.Entries() {
		seen[entry.Who] = true
	}
	if len(seen) != writers*each {
		t.Errorf("%d entries of %d", len(seen), writers*each)
	}
}

func TestADecisionIsMadeAnewAfterAConflict(t *testing.T) {
	store := &memory{}
	now := clock()
	write(t, store, now, begun(onTrial, 0, 10), reached(onTrial, 10))
	store.before = func() { write(t, store, now, Entry{Kind: RollbackBegun, Image: onTrial}) }
	refused := errors.New("latched")
	_, err := Append(t.Context(), store, now, func(current *Ledger) ([]Entry, error) {
		if _, latched := current.State().Latch(onTrial); latched {
			return nil, refused
		}
		return []Entry{begun(onTrial, 10, 30)}, nil
	})
	if !errors.Is(err, refused) {
		t.Errorf("error %v: the shift was written over a rollback", err)
	}
}

func TestTextsFromOutsideAreTamed(t *testing.T) {
	ledger := write(t, &memory{}, time.Now, Entry{Kind: RolledBack, Reason: "\x1b[31mred\nline\u202e" +
		strings.Repeat("é", 3000)})
	reason := ledger.Entries()[0].Reason
	if strings.ContainsAny(reason, "\x1b\n\u202e") || len(reason) > longestText+len("…") ||
		!strings.HasPrefix(reason, "red line") {
		t.Errorf("%q", reason[:60])
	}
	if text := ledger.String(); strings.Count(text, "\n") != 2 {
		t.Errorf("table:\n%s", text)
	}
}

func FuzzParse(f *testing.F) {
	store := &memory{}
	_, err := Write(context.Background(), store, clock(), begun(onTrial, 0, 10), reached(onTrial, 10),
		Entry{Kind: RollbackBegun, Image: onTrial})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(store.data[keyFormat], store.data[keyHistory])
	f.Add("1", "")
	f.Add("9", "{}")
	f.Fuzz(func(t *testing.T, format, history string) {
		data := map[string]string{keyFormat: format, keyHistory: history}
		ledger, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(ledger.data())
		if err != nil || again.size() != ledger.size() {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		ledger.State()
	})
}

func TestEveryFlippedCharacterIsFound(t *testing.T) {
	store := &memory{}
	write(t, store, clock(), begun(onTrial, 0, 10), reached(onTrial, 10))
	history := store.data[keyHistory]
	for i := range len(history) - 1 {
		flipped := []byte(history)
		flipped[i] ^= 1
		if _, err := Parse(map[string]string{keyFormat: "1", keyHistory: string(flipped)}); err == nil {
			t.Errorf("the flipped character %d (%q) went unnoticed", i, history[i])
		}
	}
}

// known is a store whose server knows the writer.
type known struct {
	memory
	account string
}

func (k *known) Account(context.Context) string { return k.account }

func TestAnEntryHasTheServersWordForItsAuthor(t *testing.T) {
	store := &known{account: "system:serviceaccount:ci:deployer"}
	shared := []Entry{begun(onTrial, 0, 10)}
	for range 2 {
		if _, err := Write(t.Context(), store, clock(), shared...); err != nil {
			t.Fatal(err)
		}
		store.account = "ann"
	}
	history, err := Read(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range history.Entries() {
		got = append(got, entry.Account, entry.Author())
	}
	want := "system:serviceaccount:ci:deployer|ann (system:serviceaccount:ci:deployer)|ann|ann"
	if strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "|"), want)
	}
	if shared[0].Account != "" {
		t.Error("the caller's entries were changed")
	}
	if text := history.String(); !strings.Contains(text, "ann (system:serviceaccount:ci:deployer)") {
		t.Errorf("the history does not name the account:\n%s", text)
	}
}
