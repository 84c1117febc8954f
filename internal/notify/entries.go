package notify

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/scope"
)

// retryAfter is the time of one stage in the guide's schedule: a release that was rolled back enters again in the week
// after.
const retryAfter = 7 * 24 * time.Hour

// Recorded is an event with the number of the entry that it comes from.
type Recorded struct {
	Event Event
	Seq   int
}

// Events are the events of the entries behind a number, in their order.
func (a About) Events(history *ledger.Ledger, after int) []Recorded {
	var recorded []Recorded
	var seen seen
	history.Walk(func(before ledger.State, entry ledger.Entry) {
		event, tells := a.entry(&seen, before, entry)
		if tells && entry.Seq > after {
			recorded = append(recorded, Recorded{Event: event, Seq: entry.Seq})
		}
	})
	return recorded
}

// seen is what the entries so far tell beside the ledger's state.
type seen struct {
	// passed is the soak, by its beginning and its extensions, whose pass was an event.
	passed     time.Time
	extensions int
	// image and numbers are those of the last verdict or checkpoint.
	image   string
	numbers []ledger.Number
}

// entry is the event of an entry, by the state that the entries before it make. The second result is false for an entry
// that tells nobody.
func (a About) entry(seen *seen, before ledger.State, entry ledger.Entry) (Event, bool) {
	event := a.ofEntry(entry)
	data := &event.Data
	name := ""
	switch entry.Kind {
	case ledger.ShiftReached:
		name, data.From, data.To = reached(entry), &entry.From, &entry.To
	case ledger.Checkpoint, ledger.Checkpoints:
		seen.look(entry)
		if seen.passes(before, entry) && entry.Kind == ledger.Checkpoint {
			name, data.To = names.EventSoakPassed, &entry.To
		}
	case ledger.Extended:
		name, data.To = names.EventExtended, &entry.To
	case ledger.RolledBack:
		name = names.EventRolledBack
		a.rolledBack(data, seen, before, entry)
	case ledger.Quarantined:
		name = names.EventQuarantined
	case ledger.Readmitted:
		name = names.EventReadmitted
	case ledger.LatchReleased:
		name = names.EventLatchReleased
	case ledger.Overridden:
		name, data.To = names.EventOverridden, &entry.To
	case ledger.LimitsChanged:
		name = names.EventLimitsChanged
	case ledger.Expressed:
		name = names.EventExpressed
	case ledger.Accepted:
		name = names.EventOverridden
	case ledger.Verdict:
		// The verdict of a soak comes with the shift that it allows; the guard's own one has a reason.
		seen.look(entry)
		if entry.Verdict != pass && entry.Reason != "" {
			name = names.EventNeedsReview
		}
	case ledger.Watched:
		// A stable track that is back to normal asks nobody for anything.
		if entry.Verdict != pass {
			name = names.EventNeedsReview
		}
	case ledger.Finished:
		name, data.From, data.To = names.EventFinished, &entry.From, &entry.To
	case ledger.Approved:
		name, data.To = names.EventApproved, &entry.To
	case ledger.Attested:
		name = names.EventAttested
		data.Attestation = &Attestation{Name: entry.Name, Link: a.Redactor.Text(entry.Link), Until: entry.Until}
	}
	event.Type = names.EventType + name
	return event, name != ""
}

// pass is the verdict that lets a release through.
const pass = "pass"

// ofEntry is the envelope of an entry's event, without its name.
func (a About) ofEntry(entry ledger.Entry) Event {
	fingerprint, err := entry.Fingerprint()
	if err != nil {
		// Only a number that JSON does not know cannot be encoded. The sum stands in for the fingerprint.
		fingerprint = entry.Sum
	}
	event := a.event("", entry.Time, entry.Release, strconv.Itoa(entry.Seq), fingerprint)
	event.Data.Image, event.Data.Verdict, event.Data.Numbers = entry.Image, entry.Verdict, entry.Numbers
	event.Data.Identity = entry.Identity
	event.Data.Reason = a.Redactor.Text(entry.Reason)
	event.Data.Who, event.Data.Account = a.Redactor.Text(entry.Who), entry.Account
	event.Data.Ledger = &Reference{Seq: entry.Seq, Sum: entry.Sum}
	return event
}

// reached is the name of the event of a position that was reached.
func reached(entry ledger.Entry) string {
	if entry.From == 0 && entry.To > 0 {
		return names.EventEntered
	}
	return names.EventShifted
}

// look keeps the numbers of a verdict or a checkpoint.
func (s *seen) look(entry ledger.Entry) {
	if len(entry.Numbers) > 0 {
		s.image, s.numbers = entry.Image, entry.Numbers
	}
}

// passes reports whether the checkpoint is the first one that passes at or after the end of its soak.
func (s *seen) passes(before ledger.State, checkpoint ledger.Entry) bool {
	terms := checkpoint.Terms
	if terms == nil || s.passed.Equal(before.SoakSince) && s.extensions == before.Extensions {
		return false
	}
	required := terms.Soak + int64(before.Extensions)*terms.Extension
	if checkpoint.Soaked < required || checkpoint.Verdict != pass {
		return false
	}
	s.passed, s.extensions = before.SoakSince, before.Extensions
	return true
}

// rolledBack fills in the event of a rollback.
func (a About) rolledBack(data *Data, seen *seen, before ledger.State, entry ledger.Entry) {
	none := 0
	if latch, latched := before.Latch(entry.Image); latched {
		data.From, data.To = &latch.From, &none
	}
	if len(data.Numbers) == 0 && seen.image == entry.Image {
		data.Numbers = seen.numbers
	}
	why, evidence, incomplete := outcome(entry.Reason)
	data.Reason = a.Redactor.Text(why)
	data.Rollback = &Rollback{
		Failed: a.Redactor.Text(why), Incomplete: a.Redactor.Text(incomplete),
		Retry: RetryOf(entry.Time, a.Stack),
	}
	commands := scope.Scope{Rollout: a.Rollout}
	data.Rollback.Retry.Change = commands.Commands(data.Rollback.Retry.Change)
	if evidence != "" {
		data.Rollback.Evidence = &Evidence{ConfigMap: evidence, Namespace: a.Namespace,
			Command: commands.Commands(fmt.Sprintf("rollout evidence -s %s", a.Stack))}
	}
}

// outcome splits the reason of a rollback's outcome as the rollback writes it: the cause, the name of the evidence, and
// the steps that failed.
func outcome(reason string) (why, evidence, incomplete string) {
	why, incomplete, _ = strings.Cut(reason, "; incomplete: ")
	if at := strings.LastIndex(why, "; evidence in "); at >= 0 {
		why, evidence = why[:at], why[at+len("; evidence in "):]
	}
	return why, evidence, incomplete
}
