package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// Kind says what an entry tells.
type Kind string

// Kinds of entries. A kind that this version does not know is kept and counts for nothing.
const (
	// ShiftBegun: the gate let a shift through. The images and the weights tell from where to where.
	ShiftBegun Kind = "shift-begun"
	// ShiftReached: the position passed its gate. The soak of a new weight or image begins here.
	ShiftReached Kind = "shift-reached"
	// Checkpoint is one of the soak's scheduled looks.
	Checkpoint Kind = "checkpoint"
	// Checkpoints stands for those of a soak that is over, when the ledger was compacted.
	Checkpoints Kind = "checkpoints"
	// Verdict is what a gate found.
	Verdict Kind = "verdict"
	// Extended: the soak's time was over without its criteria being met.
	Extended Kind = "extended"
	// RollbackBegun: the canary is being taken out. It latches the image: a rollback that is interrupted must not be
	// undone.
	RollbackBegun Kind = "rollback-begun"
	// RolledBack: the canary is out.
	RolledBack Kind = "rolled-back"
	// LatchReleased: somebody let the image in again, with a reason.
	LatchReleased Kind = "latch-released"
	// Overridden: somebody let a shift through that the gate refused, with a reason.
	Overridden Kind = "overridden"
	// StagingVerified: the image has passed the gates of the named stack.
	StagingVerified Kind = "staging-verified"
	// Watched: the watch over the stable track after a rollback is over; the verdict tells whether it is back to normal.
	Watched Kind = "watched"
	// Finished: the canary's image became the stable one.
	Finished Kind = "finished"
	// Attested: a person vouches for what no program can see. Name says for what, Link where it is written down, Until
	// how long it holds.
	Attested Kind = "attested"
	// Rehearsed: a rollback was drilled in the named stack, in the time that Took says. Its Verdict is pass when no step
	// failed.
	Rehearsed Kind = "rehearsed"
)

// Entry is one event. Fields that do not belong to its kind are empty.
type Entry struct {
	// Seq counts from 1 without gaps, but for what compaction folded.
	Seq  int       `json:"seq"`
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Who caused it: a person, a pipeline or the guard.
	Who string `json:"who,omitempty"`

	Release string `json:"release,omitempty"`
	// Image and Stable are the digests of the canary and of the stable track.
	Image  string `json:"image,omitempty"`
	Stable string `json:"stable,omitempty"`
	// From and To are weights in percent.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
	// Ref is the Seq of the entry that this one answers: the latch that is released; of a position that is reached, the
	// shift that was under way when its update began, because an update before did not complete it.
	Ref int `json:"ref,omitempty"`
	// Stack is the stack that verified, or in which a rollback was rehearsed.
	Stack string `json:"stack,omitempty"`
	// Name and Link are those of an attestation.
	Name string `json:"name,omitempty"`
	Link string `json:"link,omitempty"`
	// Took is how long a rehearsed rollback took until no endpoint of the canary was left, in milliseconds.
	Took int64 `json:"took,omitempty"`

	Verdict string `json:"verdict,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Numbers are the criteria behind a verdict.
	Numbers []Number `json:"numbers,omitempty"`
	// Soaked is the soaked time at a checkpoint or an extension, in seconds.
	Soaked int64 `json:"soaked,omitempty"`
	// Folded is how many checkpoints a folded entry stands for; Until is the time of the last. Until is also how long an
	// attestation holds.
	Folded int        `json:"folded,omitempty"`
	Until  *time.Time `json:"until,omitempty"`

	// Sum is the checksum over the entry before and this one.
	Sum string `json:"sum"`

	// line is the text that the checksum is over; it may hold fields that this version does not know.
	line string
}

// Number is one criterion's result.
type Number struct {
	Name    string  `json:"name"`
	Verdict string  `json:"verdict"`
	N       int64   `json:"n"`
	K       int64   `json:"k"`
	Lower   float64 `json:"lower"`
	Upper   float64 `json:"upper"`
}

// decision tells whether the entry must survive compaction. Everything does but a soak's routine looks.
func (e Entry) decision() bool { return e.Kind != Checkpoint }

// safety tells whether the entry keeps a bad image out. It may use the reserve of the ledger's size.
func (e Entry) safety() bool { return e.Kind == RollbackBegun || e.Kind == RolledBack }

// sumLength is how many hexadecimal digits of a checksum are kept: it is there against edits by hand, not against
// forgery.
const sumLength = 16

func chain(previous, body string) string {
	sum := sha256.Sum256([]byte(previous + "\n" + body))
	return hex.EncodeToString(sum[:])[:sumLength]
}

// longestText bounds every text that comes from outside, in bytes.
const longestText = 2000

// clean makes a text of outside fit for one line that a terminal may print.
func clean(text string) string {
	text = sanitize.Line(text)
	if len(text) <= longestText {
		return text
	}
	cut := longestText
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

func (e Entry) cleaned() Entry {
	for _, text := range []*string{&e.Who, &e.Release, &e.Image, &e.Stable, &e.Stack, &e.Name, &e.Link, &e.Verdict,
		&e.Reason} {
		*text = clean(*text)
	}
	for i := range e.Numbers {
		e.Numbers[i].Name = clean(e.Numbers[i].Name)
	}
	return e
}
