package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// Input is what a report is made from.
type Input struct {
	App, Environment, Namespace, Stack string
	// Release is the one that is reported on.
	Release string
	// Entries are the whole ledger, State what follows from it.
	Entries []ledger.Entry
	State   ledger.State
	// Stages and Soak are the plan.
	Stages plan.Stages
	Soak   plan.Soak
	// Sections are the charts.
	Sections []Section
	// Missing says what could not be read.
	Missing []string
	// DashboardURL and RunbookURL are linked; both may be empty.
	DashboardURL, RunbookURL string
	Now                      time.Time
}

// Tone is how a line is to be taken.
type Tone string

// Tones.
const (
	Plain Tone = "plain"
	Good  Tone = "good"
	Warn  Tone = "warn"
	Bad   Tone = "bad"
)

// Report is the deployment log of a release.
type Report struct {
	App         string `json:"app"`
	Environment string `json:"environment"`
	Namespace   string `json:"namespace"`
	Stack       string `json:"stack"`
	Release     string `json:"release"`
	// Images are the digests that were on trial, Stable the one beside them.
	Images []string `json:"images"`
	Stable string   `json:"stable,omitempty"`
	// Outcome says in a sentence how it went so far.
	Outcome   string     `json:"outcome"`
	Tone      Tone       `json:"tone"`
	Start     time.Time  `json:"start"`
	End       time.Time  `json:"end"`
	Generated time.Time  `json:"generated"`
	Stages    []Stage    `json:"stages"`
	Decisions []Decision `json:"decisions"`
	Rollbacks []Rollback `json:"rollbacks"`
	Timeline  []Line     `json:"timeline"`
	Checklist []Check    `json:"checklist"`
	Sections  []Section  `json:"sections"`
	Missing   []string   `json:"missing,omitempty"`
	Dashboard string     `json:"dashboard,omitempty"`
	Runbook   string     `json:"runbook,omitempty"`
}

// Stage is the time at one weight.
type Stage struct {
	Weight int       `json:"weight"`
	Since  time.Time `json:"since"`
	// Until is zero while it lasts.
	Until time.Time `json:"until,omitzero"`
	// Soaked is the time that was watched, by the last look at it.
	Soaked      time.Duration `json:"soaked"`
	Extensions  int           `json:"extensions"`
	Checkpoints int           `json:"checkpoints"`
	// Verdict and Numbers are those of the last look.
	Verdict string          `json:"verdict,omitempty"`
	Numbers []ledger.Number `json:"numbers,omitempty"`
	// Ended says how it ended; empty while it lasts.
	Ended string `json:"ended,omitempty"`
	Tone  Tone   `json:"tone"`
}

// Decision is a verdict with the numbers behind it.
type Decision struct {
	Time    time.Time       `json:"time"`
	Who     string          `json:"who,omitempty"`
	What    string          `json:"what"`
	Verdict string          `json:"verdict"`
	Tone    Tone            `json:"tone"`
	Reason  string          `json:"reason,omitempty"`
	Numbers []ledger.Number `json:"numbers,omitempty"`
}

// Rollback is a canary that was taken out.
type Rollback struct {
	Begun time.Time `json:"begun"`
	// Done is zero while it is not recorded as done.
	Done     time.Time `json:"done,omitzero"`
	Who      string    `json:"who,omitempty"`
	Weight   int       `json:"weight"`
	Reason   string    `json:"reason"`
	Complete bool      `json:"complete"`
	Outcome  string    `json:"outcome,omitempty"`
	// Released says who released its latch, when and why; empty while it is engaged.
	Released string `json:"released,omitempty"`
}

// Releases lists the releases that a ledger tells of, the newest last.
func Releases(entries []ledger.Entry) []string {
	var names []string
	for _, entry := range entries {
		if entry.Release != "" && !slices.Contains(names, entry.Release) {
			names = append(names, entry.Release)
		}
	}
	return names
}

// UnknownReleaseError says that the ledger does not tell of a release.
type UnknownReleaseError struct {
	Release string
	Known   []string
}

// Error names those that it tells of.
func (e *UnknownReleaseError) Error() string {
	if len(e.Known) == 0 {
		return "the ledger tells of no release yet"
	}
	return fmt.Sprintf("the ledger does not tell of release %q: it has %s", e.Release, strings.Join(e.Known, ", "))
}

// Span is the time from a release's first entry to the end of what is told of it: now, unless it is over.
func Span(entries []ledger.Entry, release string, now time.Time) (start, end time.Time, err error) {
	own := of(entries, release)
	if len(own) == 0 {
		return time.Time{}, time.Time{}, &UnknownReleaseError{release, Releases(entries)}
	}
	end = now
	if last := lastMove(own); last.Kind == ledger.Finished || last.Kind == ledger.RolledBack ||
		last.Kind == ledger.ShiftReached && last.To == 0 {
		// What came right after it belongs to the story.
		if after := last.Time.Add(aftermath); after.Before(now) {
			end = after
		}
	}
	return own[0].Time, end, nil
}

// aftermath is how long a release is looked at after its end, as the guide watches after a rollback.
const aftermath = 30 * time.Minute

func lastMove(own []ledger.Entry) ledger.Entry {
	for _, entry := range slices.Backward(own) {
		switch entry.Kind {
		case ledger.ShiftBegun, ledger.ShiftReached, ledger.Finished, ledger.RollbackBegun, ledger.RolledBack:
			return entry
		}
	}
	return ledger.Entry{}
}

// of are the entries of a release: those that name it, those about its images, and what is about no release at all in
// its time.
func of(entries []ledger.Entry, release string) []ledger.Entry {
	images := imagesOf(entries, release)
	first, last := -1, -1
	own := func(entry ledger.Entry) bool {
		return entry.Release == release || entry.Release == "" && entry.Image != "" && slices.Contains(images, entry.Image)
	}
	for i, entry := range entries {
		if own(entry) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return nil
	}
	var found []ledger.Entry
	for i := first; i < len(entries); i++ {
		general := entries[i].Release == "" && entries[i].Image == ""
		if own(entries[i]) || general && (i <= last || last == lastNamed(entries)) {
			found = append(found, entries[i])
		}
	}
	return found
}

// lastNamed is the index of the last entry that is about a release.
func lastNamed(entries []ledger.Entry) int {
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].Release != "" || entries[i].Image != "" {
			return i
		}
	}
	return -1
}

func imagesOf(entries []ledger.Entry, release string) []string {
	var images []string
	for _, entry := range entries {
		if entry.Release == release && entry.Image != "" && !slices.Contains(images, entry.Image) {
			images = append(images, entry.Image)
		}
	}
	return images
}

// Build makes the report. A release that the ledger does not tell of is an *UnknownReleaseError.
func Build(in Input) (*Report, error) {
	start, end, err := Span(in.Entries, in.Release, in.Now)
	if err != nil {
		return nil, err
	}
	own := of(in.Entries, in.Release)
	missing := slices.Clone(in.Missing)
	for i := range missing {
		missing[i] = sanitize.Line(missing[i])
	}
	r := &Report{
		App: in.App, Environment: in.Environment, Namespace: in.Namespace, Stack: in.Stack, Release: in.Release,
		Images: imagesOf(in.Entries, in.Release), Start: start, End: end, Generated: in.Now,
		Stages: stages(own), Decisions: decisions(own), Rollbacks: rollbacks(own), Timeline: timeline(own),
		Sections: in.Sections, Missing: missing, Dashboard: in.DashboardURL, Runbook: in.RunbookURL,
	}
	for _, entry := range own {
		if entry.Stable != "" && r.Stable == "" {
			r.Stable = entry.Stable
		}
	}
	r.Outcome, r.Tone = r.outcome(own)
	r.Checklist = checklist(in, r)
	return r, nil
}

// outcome says how it went.
func (r *Report) outcome(own []ledger.Entry) (string, Tone) {
	move := lastMove(own)
	at := moment(move.Time)
	switch {
	case move.Kind == ledger.Finished:
		return fmt.Sprintf("finished %s: its image is the stable one", at), Good
	case move.Kind == ledger.RollbackBegun:
		return fmt.Sprintf("being rolled back since %s, and no outcome is recorded: %s", at, move.Reason), Bad
	case move.Kind == ledger.RolledBack:
		last := r.Rollbacks[len(r.Rollbacks)-1]
		return fmt.Sprintf("rolled back %s: %s", moment(last.Begun), last.Reason), Bad
	case move.Kind == ledger.ShiftBegun:
		return fmt.Sprintf("on its way from %d %% to %d %% since %s", move.From, move.To, at), Warn
	case move.Kind == ledger.ShiftReached && move.To == 0:
		return fmt.Sprintf("taken back to 0 %% %s", at), Warn
	case len(r.Stages) > 0:
		stage := r.Stages[len(r.Stages)-1]
		return fmt.Sprintf("at %d %% since %s", stage.Weight, moment(stage.Since)), Plain
	default:
		return "nothing has happened yet", Plain
	}
}

// moment prints a time for people, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
