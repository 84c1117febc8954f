package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Format is the version of the format that is written.
const Format = 1

// Keys of the ConfigMap.
const (
	keyFormat  = "format"
	keyHistory = "history"
)

// Errors of an existing ledger that must not be written.
var (
	// ErrNewerFormat means that a newer version of the program wrote the ledger.
	ErrNewerFormat = errors.New("the ledger has a newer format")
	// ErrEdited means that an entry does not match its checksum.
	ErrEdited = errors.New("the ledger was edited by hand")
	// ErrUnreadable means that the ledger cannot be parsed.
	ErrUnreadable = errors.New("the ledger cannot be read")
	// ErrFull means that the ledger has no room for another entry.
	ErrFull = errors.New("the ledger is full")
)

// Ledger is the history of a rollout. The zero value is an empty ledger.
type Ledger struct {
	entries []Entry
}

// Entries gives a copy of the history, the oldest entry first.
func (l *Ledger) Entries() []Entry { return append([]Entry(nil), l.entries...) }

// Parse reads the data of the ConfigMap. Without data the ledger is empty. The error is ErrUnreadable, ErrNewerFormat
// or ErrEdited.
func Parse(data map[string]string) (*Ledger, error) {
	if len(data) == 0 {
		return &Ledger{}, nil
	}
	format, err := strconv.Atoi(data[keyFormat])
	if err != nil {
		return nil, fmt.Errorf("%w: its key %s is %q, not a number: restore the ConfigMap from a backup", ErrUnreadable,
			keyFormat, data[keyFormat])
	}
	if format > Format {
		return nil, fmt.Errorf("%w: its format is %d, and this version reads up to %d: use the version that wrote it",
			ErrNewerFormat, format, Format)
	}
	ledger, previous := &Ledger{}, ""
	for number, line := range strings.Split(strings.TrimSuffix(data[keyHistory], "\n"), "\n") {
		if line == "" && len(data[keyHistory]) == 0 {
			break
		}
		entry, err := parseLine(line, previous)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
		if last := len(ledger.entries); last > 0 && entry.Seq <= ledger.entries[last-1].Seq {
			return nil, fmt.Errorf("line %d: %w: entry %d follows entry %d", number+1, ErrEdited, entry.Seq,
				ledger.entries[last-1].Seq)
		}
		ledger.entries, previous = append(ledger.entries, entry), entry.Sum
	}
	return ledger, nil
}

// parseLine reads an entry and checks it against the checksum at its end.
func parseLine(line, previous string) (Entry, error) {
	var entry Entry
	decoder := json.NewDecoder(strings.NewReader(line))
	if err := decoder.Decode(&entry); err != nil {
		return Entry{}, fmt.Errorf("%w: %w: restore the ConfigMap from a backup", ErrUnreadable, err)
	}
	body, sum, ok := cutSum(line)
	if !ok || sum != entry.Sum || chain(previous, body) != sum {
		return Entry{}, fmt.Errorf("%w: entry %d (%s) does not match its checksum: restore the ConfigMap, or delete it to "+
			"start over by `rollout ledger accept --reason WHY -s STACK`, which forgets every latch and soak",
			ErrEdited, entry.Seq, entry.Kind)
	}
	entry.line = line
	return entry, nil
}

// sumField is the beginning of a line's last field.
const sumField = `,"sum":"`

// cutSum splits a line into the text under its checksum and the checksum. It works on text, so that the checksum covers
// fields that this version does not know.
func cutSum(line string) (body, sum string, ok bool) {
	at := strings.LastIndex(line, sumField)
	if at < 0 || !strings.HasSuffix(line, `"}`) {
		return "", "", false
	}
	return line[:at] + "}", line[at+len(sumField) : len(line)-2], true
}

// seal computes an entry's checksum and line.
func seal(entry Entry, previous string) (Entry, error) {
	raw, err := json.Marshal(entry)
	if err != nil {
		return Entry{}, fmt.Errorf("encode entry: %w", err)
	}
	text, _, ok := cutSum(string(raw))
	if !ok {
		return Entry{}, fmt.Errorf("encode entry: no checksum field in %s", raw)
	}
	entry.Sum = chain(previous, text)
	entry.line = text[:len(text)-1] + sumField + entry.Sum + `"}`
	return entry, nil
}

// with is a copy of the ledger with entries appended.
func (l *Ledger) with(now time.Time, added []Entry) (*Ledger, error) {
	next := &Ledger{entries: l.Entries()}
	for _, entry := range added {
		previous := ""
		entry.Seq = 1
		if last := len(next.entries); last > 0 {
			previous, entry.Seq = next.entries[last-1].Sum, next.entries[last-1].Seq+1
		}
		if entry.accepts() {
			// The heads that were seen of what was lost stay below the number, and those from now on above it.
			entry.Seq = max(entry.Seq, entry.Lost.Seq+1)
		}
		entry.Time = now.UTC().Truncate(time.Millisecond)
		entry, err := seal(entry.cleaned(), previous)
		if err != nil {
			return nil, err
		}
		next.entries = append(next.entries, entry)
	}
	return next, nil
}

// data is the content of the ConfigMap.
func (l *Ledger) data() map[string]string {
	var history strings.Builder
	for _, entry := range l.entries {
		history.WriteString(entry.line + "\n")
	}
	return map[string]string{keyFormat: strconv.Itoa(Format), keyHistory: history.String()}
}

func (l *Ledger) size() int { return len(l.data()[keyHistory]) }

// String is the history as a table for people.
func (l *Ledger) String() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENTRY\tTIME\tWHO\tWHAT")
	for _, entry := range l.entries {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\n", entry.Seq, entry.Time.Format(time.RFC3339), entry.Author(), entry.Describe())
	}
	// The writer below is a strings.Builder: flushing cannot fail.
	_ = table.Flush()
	return out.String()
}

// shortened is a checksum as people compare it.
func shortened(sum string) string { return sum[:min(len(sum), 12)] }

// ApprovedFor is what an approval is for: a stage, or the finish, which takes the canary's weight back to 0.
func (e Entry) ApprovedFor() string {
	if e.To == 0 {
		return "the finish"
	}
	return fmt.Sprintf("%d %%", e.To)
}

// Describe is the entry in one line for people.
func (e Entry) Describe() string {
	parts := []string{string(e.Kind)}
	if e.Release != "" {
		parts = append(parts, e.Release)
	}
	if e.From != e.To && e.Kind != Approved {
		parts = append(parts, fmt.Sprintf("%d %% -> %d %%", e.From, e.To))
	} else if e.Kind == ShiftReached || e.Kind == Checkpoint {
		parts = append(parts, fmt.Sprintf("%d %%", e.To))
	}
	if e.Identity != "" {
		parts = append(parts, "identity "+e.Identity)
	}
	if e.Verdict != "" {
		parts = append(parts, e.Verdict)
	}
	if e.Ref != 0 {
		parts = append(parts, fmt.Sprintf("of entry %d", e.Ref))
	}
	switch e.Kind {
	case Accepted:
		if e.Lost != nil {
			what := "the loss of entries up to"
			if e.Name == MissingSignature {
				what = "without a signature the entries up to"
			}
			parts = append(parts, what, strconv.Itoa(e.Lost.Seq))
		}
	case GuardConfigured:
		parts = append(parts, "with", shortened(e.Configuration))
	case Attested:
		parts = append(parts, e.Name, "by", e.Link)
		if e.Until != nil {
			parts = append(parts, "until", e.Until.Format(time.RFC3339))
		}
	case Approved:
		parts = append(parts, "for", e.ApprovedFor())
	case Quarantined:
		parts = append(parts, "offence", strconv.Itoa(e.Offence))
		if e.Until != nil {
			parts = append(parts, "until", e.Until.Format(time.RFC3339))
		}
	case Quarantines:
		parts = append(parts, strconv.Itoa(e.Folded), "for", (time.Duration(e.Took) * time.Millisecond).String())
	case Rehearsed:
		parts = append(parts, "in", e.Stack, "in", (time.Duration(e.Took) * time.Millisecond).String())
	}
	if e.Kind == LimitsChanged && e.Before != nil && e.Terms != nil {
		parts = append(parts, strings.Join(e.Before.Changes(*e.Terms), ", "))
	}
	if e.Reason != "" {
		parts = append(parts, "("+e.Reason+")")
	}
	if e.Terms != nil && (e.Kind == Verdict || e.Kind == ShiftBegun) {
		parts = append(parts, "by", e.Terms.String())
	}
	return strings.Join(parts, " ")
}
