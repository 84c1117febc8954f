package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// Kind is the kind of an entry.
type Kind string

// Kinds of entries. An entry of an unknown kind is kept and otherwise ignored.
const (
	// ShiftBegun: the gate allowed a shift from one image and weight to another.
	ShiftBegun Kind = "shift-begun"
	// ShiftReached: the position passed its gate. The soak of a new weight or image starts here.
	ShiftReached Kind = "shift-reached"
	// Checkpoint is a scheduled evaluation of the soak.
	Checkpoint Kind = "checkpoint"
	// Checkpoints replaces the older checkpoints of a soak when the ledger is compacted.
	Checkpoints Kind = "checkpoints"
	// Verdict is the outcome of a gate.
	Verdict Kind = "verdict"
	// Extended: the soak's time was over and its criteria were not met. When the ledger is compacted, one entry stands for
	// several extensions.
	Extended Kind = "extended"
	// RollbackBegun: the canary is being taken out of traffic. The entry latches the image, so that an interrupted
	// rollback is not undone.
	RollbackBegun Kind = "rollback-begun"
	// RolledBack: the canary is out of traffic.
	RolledBack Kind = "rolled-back"
	// Quarantined: the canary is out of traffic for a while, without a latch. Offence counts its offences in a row, Until
	// is the planned end.
	Quarantined Kind = "quarantined"
	// Readmitted: the canary is let into traffic again after a quarantine.
	Readmitted Kind = "readmitted"
	// Quarantines replaces the older, ended quarantines of a soak when the ledger is compacted.
	Quarantines Kind = "quarantines"
	// LatchReleased: somebody allowed the image again, with a reason.
	LatchReleased Kind = "latch-released"
	// Overridden: somebody allowed a shift that the gate refused, with a reason.
	Overridden Kind = "overridden"
	// StagingVerified: the image passed the gates of the named stack.
	StagingVerified Kind = "staging-verified"
	// Watched: the watch over the stable track after a rollback is over. Its verdict says if stable is back to normal.
	Watched Kind = "watched"
	// Finished: the canary's image became the stable one.
	Finished Kind = "finished"
	// Identified: the identities of the tracks were written into a ledger of an earlier version, which had none.
	Identified Kind = "identified"
	// ExpressBegun: an update carries a change of the configuration to both tracks at once, by the express lane. Identity
	// is what the canary's pods get first, StableIdentity what stable gets after them.
	ExpressBegun Kind = "express-begun"
	// Expressed: both tracks have the change of an express lane. It moves nothing, and a soak goes on.
	Expressed Kind = "expressed"
	// Attested: a person vouches for a fact that no program can check. Name is the fact, Link its documentation, Until the
	// expiry.
	Attested Kind = "attested"
	// Approved: a person lets the image into the stage To.
	Approved Kind = "approved"
	// Rehearsed: a rollback was drilled in the named stack and took the time in Took. Its Verdict is pass if no step
	// failed.
	Rehearsed Kind = "rehearsed"
	// SmokeTested: the smoke suite sent requests from Since to Until. They count as no evidence on the release.
	SmokeTested Kind = "smoke-tested"
)

// Entry is one event. Fields that do not belong to its kind are empty.
type Entry struct {
	// Seq counts from 1. It has no gaps except where compaction folded entries.
	Seq  int       `json:"seq"`
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Who is the author, by the author's own word: a person, a pipeline or the guard.
	Who string `json:"who,omitempty"`
	// Account is the name under which the API server knows the author; empty where it does not tell, and in entries of
	// older versions.
	Account string `json:"account,omitempty"`

	Release string `json:"release,omitempty"`
	// Image and Stable are the digests of the canary and of the stable track.
	Image  string `json:"image,omitempty"`
	Stable string `json:"stable,omitempty"`
	// Identity and StableIdentity are the short forms of the identities of the canary and of the stable track, and
	// Identities the parts of those that no earlier entry holds, by their short forms. All are empty in entries of older
	// versions.
	Identity       string                       `json:"identity,omitempty"`
	StableIdentity string                       `json:"stableIdentity,omitempty"`
	Identities     map[string]identity.Identity `json:"identities,omitempty"`
	// From and To are weights in percent.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
	// Ref is the Seq of an earlier entry: for LatchReleased, the entry that engaged the latch; for ShiftReached, a shift
	// that was under way when the update began because an earlier update did not complete it.
	Ref int `json:"ref,omitempty"`
	// Stack is the stack that verified the image, or that rehearsed the rollback.
	Stack string `json:"stack,omitempty"`
	// Name and Link are those of an attestation.
	Name string `json:"name,omitempty"`
	Link string `json:"link,omitempty"`
	// Took is the time in milliseconds until no endpoint of the canary was left in a rehearsed rollback, or in all of the
	// quarantines that an entry replaces.
	Took int64 `json:"took,omitempty"`
	// Configuration is the [Checksum] of the configuration that the guard is given; empty for other kinds.
	Configuration string `json:"configuration,omitempty"`

	Verdict string `json:"verdict,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// Numbers are the criteria behind a verdict.
	Numbers []Number `json:"numbers,omitempty"`
	// Terms are what a verdict, a checkpoint or a shift was judged by, or will be after a change; nil for other kinds and
	// in entries of older versions.
	Terms *Terms `json:"terms,omitempty"`
	// Before are the terms that a change of limits ended.
	Before *Terms `json:"before,omitempty"`
	// Lost is the end that the ledger had before it lost entries. The number of an entry with it is above that of Lost.
	Lost *Head `json:"lost,omitempty"`
	// Soaked is the soaked time at a checkpoint or an extension, in seconds.
	Soaked int64 `json:"soaked,omitempty"`
	// Folded is the number of checkpoints, extensions or quarantines that a folded entry replaces, and Until the time of
	// the last one. For an attestation, Until is its expiry, and for a quarantine its planned end. For SmokeTested, Since
	// and Until are the first and the last request.
	Folded int        `json:"folded,omitempty"`
	Since  *time.Time `json:"since,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
	// Offence is the number of a quarantine's offence in a row.
	Offence int `json:"offence,omitempty"`

	// Sum is the checksum over the previous entry's checksum and this entry.
	Sum string `json:"sum"`

	// line is the text under the checksum. It may have fields that this version does not know.
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

// Author is who made the entry, with the account where that says more.
func (e Entry) Author() string {
	if e.Account == "" || e.Account == e.Who {
		return e.Who
	}
	return fmt.Sprintf("%s (%s)", e.Who, e.Account)
}

// foldable reports whether compaction may fold the entry with others of its soak. All others are decisions, which stay.
func (e Entry) foldable() bool {
	return e.Kind == Checkpoint || e.Kind == Checkpoints || e.Kind == Extended
}

// quarantine reports whether the entry is about a quarantine, which compaction folds when it has ended.
func (e Entry) quarantine() bool {
	return e.Kind == Quarantined || e.Kind == Readmitted || e.Kind == Quarantines
}

// safety reports whether the entry keeps a bad image out of traffic. Such an entry may use the ledger's reserve.
func (e Entry) safety() bool { return e.Kind == RollbackBegun || e.Kind == RolledBack }

// mends reports whether a ledger that has lost entries takes the entry all the same.
func (e Entry) mends() bool { return e.safety() || e.Kind == Quarantined || e.accepts() }

// accepts reports whether the entry goes on without entries that were lost.
func (e Entry) accepts() bool { return e.Kind == Accepted && e.Lost != nil }

// sumLength is the number of hexadecimal digits of a checksum. It detects edits by hand, not forgery.
const sumLength = 16

func chain(previous, body string) string {
	sum := sha256.Sum256([]byte(previous + "\n" + body))
	return hex.EncodeToString(sum[:])[:sumLength]
}

// Checksum is that of a text which the ledger names and does not hold.
func Checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Fingerprint is a checksum of the entry alone. Compaction renews Sum, which covers the entries before as well, and
// leaves the fingerprint of every entry that it keeps as it is.
func (e Entry) Fingerprint() (string, error) {
	if e.line == "" {
		var err error
		if e, err = seal(e, ""); err != nil {
			return "", err
		}
	}
	body, _, _ := cutSum(e.line)
	return chain("", body), nil
}

// longestText bounds every text from outside, in bytes.
const longestText = 2000

// clean reduces a text from outside to one line of bounded length that is safe to print on a terminal.
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
	for _, text := range []*string{&e.Who, &e.Account, &e.Release, &e.Image, &e.Stable, &e.Stack, &e.Name, &e.Link,
		&e.Verdict, &e.Reason, &e.Identity, &e.StableIdentity} {
		*text = clean(*text)
	}
	e.Configuration = clean(e.Configuration)
	e.Terms, e.Before = e.Terms.cleaned(), e.Before.cleaned()
	for i := range e.Numbers {
		e.Numbers[i].Name = clean(e.Numbers[i].Name)
	}
	return e
}
