package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// Input is the data of a report.
type Input struct {
	App, Environment, Namespace, Stack string
	// Release is the release to report on.
	Release string
	// Entries are all entries of the ledger, State is the state that follows from them.
	Entries []ledger.Entry
	State   ledger.State
	// Stages and Soak are the stack's plan.
	Stages plan.Stages
	Soak   plan.Soak
	// Sections are the charts.
	Sections []Section
	// Missing lists the parts that could not be read.
	Missing []string
	// DashboardURL and RunbookURL are linked; both may be empty.
	DashboardURL, RunbookURL string
	Now                      time.Time
}

// Tone is the tone of a line, for its colour.
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
	// Images are the digests that were on trial, Stable is the stable track's digest.
	Images []string `json:"images"`
	Stable string   `json:"stable,omitempty"`
	// Outcome summarizes the release in one sentence.
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
	// Until is zero for the current stage.
	Until time.Time `json:"until,omitzero"`
	// Soaked is the watched time at the last checkpoint.
	Soaked      time.Duration `json:"soaked"`
	Extensions  int           `json:"extensions"`
	Checkpoints int           `json:"checkpoints"`
	// Verdict and Numbers are those of the last checkpoint.
	Verdict string          `json:"verdict,omitempty"`
	Numbers []ledger.Number `json:"numbers,omitempty"`
	// Ended describes the end of the stage, empty for the current one.
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

// Rollback is one rollback of the release.
type Rollback struct {
	Begun time.Time `json:"begun"`
	// Done is zero until the ledger records the outcome.
	Done     time.Time `json:"done,omitzero"`
	Who      string    `json:"who,omitempty"`
	Weight   int       `json:"weight"`
	Reason   string    `json:"reason"`
	Complete bool      `json:"complete"`
	Outcome  string    `json:"outcome,omitempty"`
	// Released describes who released the latch, when and why; empty while the latch is engaged.
	Released string `json:"released,omitempty"`
	// Retry is the advice for another try; nil while there is no outcome, and once the latch is released.
	Retry *notify.Retry `json:"retry,omitempty"`
}

// Releases lists the releases in a ledger, the newest last.
func Releases(entries []ledger.Entry) []string {
	var names []string
	for _, entry := range entries {
		if entry.Release != "" && !slices.Contains(names, entry.Release) {
			names = append(names, entry.Release)
		}
	}
	return names
}

// UnknownReleaseError is returned for a release without entries in the ledger.
type UnknownReleaseError struct {
	Release string
	Known   []string
}

// Error implements error and lists the known releases.
func (e *UnknownReleaseError) Error() string {
	if len(e.Known) == 0 {
		return "the ledger has no release yet"
	}
	return fmt.Sprintf("the ledger has no release %q: it has %s", e.Release, strings.Join(e.Known, ", "))
}

// Span returns the time from a release's first entry to its end, or to now while it is on trial.
func Span(entries []ledger.Entry, release string, now time.Time) (start, end time.Time, err error) {
	story := of(entries, release)
	if len(story) == 0 {
		return time.Time{}, time.Time{}, &UnknownReleaseError{release, Releases(entries)}
	}
	end = now
	if last := lastMove(story); last.Kind == ledger.Finished || last.Kind == ledger.RolledBack ||
		last.Kind == ledger.ShiftReached && last.To == 0 {
		// The aftermath belongs to the release.
		if after := last.Time.Add(aftermath); after.Before(now) {
			end = after
		}
	}
	return story[0].Time, end, nil
}

// aftermath is the time after a release's end that the report covers. The guide watches as long after a rollback.
const aftermath = 30 * time.Minute

func lastMove(story []ledger.Entry) ledger.Entry {
	for _, entry := range slices.Backward(story) {
		switch entry.Kind {
		case ledger.ShiftBegun, ledger.ShiftReached, ledger.Finished, ledger.RollbackBegun, ledger.RolledBack:
			return entry
		}
	}
	return ledger.Entry{}
}

// of returns the entries of a release: those that name it, those on its images, and those on no release within its
// time.
func of(entries []ledger.Entry, release string) []ledger.Entry {
	images := imagesOf(entries, release)
	first, last := -1, -1
	belongs := func(entry ledger.Entry) bool {
		return entry.Release == release || entry.Release == "" && entry.Image != "" && slices.Contains(images, entry.Image)
	}
	for i, entry := range entries {
		if belongs(entry) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return nil
	}
	var story []ledger.Entry
	for i := first; i < len(entries); i++ {
		general := entries[i].Release == "" && entries[i].Image == ""
		if belongs(entries[i]) || general && (i <= last || last == lastNamed(entries)) {
			story = append(story, entries[i])
		}
	}
	return story
}

// lastNamed returns the index of the last entry on any release.
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

// Build builds the report. A release without entries in the ledger is an *UnknownReleaseError.
func Build(in Input) (*Report, error) {
	start, end, err := Span(in.Entries, in.Release, in.Now)
	if err != nil {
		return nil, err
	}
	story := of(in.Entries, in.Release)
	missing := slices.Clone(in.Missing)
	for i := range missing {
		missing[i] = sanitize.Line(missing[i])
	}
	r := &Report{
		App: in.App, Environment: in.Environment, Namespace: in.Namespace, Stack: in.Stack, Release: in.Release,
		Images: imagesOf(in.Entries, in.Release), Start: start, End: end, Generated: in.Now,
		Stages: stages(story), Decisions: decisions(story), Rollbacks: rollbacks(story, in.Stack), Timeline: timeline(story),
		Sections: in.Sections, Missing: missing, Dashboard: in.DashboardURL, Runbook: in.RunbookURL,
	}
	for _, entry := range story {
		if entry.Stable != "" && r.Stable == "" {
			r.Stable = entry.Stable
		}
	}
	r.Outcome, r.Tone = r.outcome(story)
	r.Checklist = checklist(in, r)
	return r, nil
}

// outcome summarizes the release.
func (r *Report) outcome(story []ledger.Entry) (string, Tone) {
	move := lastMove(story)
	at := moment(move.Time)
	switch {
	case move.Kind == ledger.Finished:
		return fmt.Sprintf("finished %s: its image is now stable", at), Good
	case move.Kind == ledger.RollbackBegun:
		return fmt.Sprintf("rolling back since %s, with no recorded outcome: %s", at, move.Reason), Bad
	case move.Kind == ledger.RolledBack:
		last := r.Rollbacks[len(r.Rollbacks)-1]
		return fmt.Sprintf("rolled back %s: %s", moment(last.Begun), last.Reason), Bad
	case move.Kind == ledger.ShiftBegun:
		return fmt.Sprintf("on its way from %d %% to %d %% since %s", move.From, move.To, at), Warn
	case move.Kind == ledger.ShiftReached && move.To == 0:
		return fmt.Sprintf("lowered to 0 %% %s", at), Warn
	case len(r.Stages) > 0:
		stage := r.Stages[len(r.Stages)-1]
		return fmt.Sprintf("at %d %% since %s", stage.Weight, moment(stage.Since)), Plain
	default:
		return "nothing has happened yet", Plain
	}
}

// moment formats a time for people, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
