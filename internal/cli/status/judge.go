package status

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// leaseOld is the age of its Lease at which the guard counts as gone.
const leaseOld = 15 * time.Second

// facts are the inputs of the judgement besides the Status itself.
type facts struct {
	single bool
	stages plan.Stages
	// state is nil when the ledger could not be read.
	state *ledger.State
	// released is the ledger entry of the latch that the configuration releases.
	released int
	// before is the latch of the release that served requests last, if the configuration has moved on to another image.
	before *ledger.Entry
}

// judge fills in phase, summary, notes and order.
func (s *Status) judge(f facts) {
	s.Phase, s.Summary = s.phase(f)
	s.Notes = s.notes(f)
	s.Order = s.order()
}

func (s *Status) phase(f facts) (Phase, string) {
	if f.single {
		return PhaseSingle, "one track, no canary"
	}
	if f.state == nil {
		return PhaseUnknown, "the ledger could not be read"
	}
	state := f.state
	switch {
	case state.Unfinished != nil:
		return PhaseRollingBack, fmt.Sprintf("a rollback began at %s by %s and its outcome is not recorded: %s",
			clock(state.Unfinished.Time), state.Unfinished.Who, state.Unfinished.Reason)
	case s.Latch != nil && state.Weight == 0 && state.Begun == nil:
		return PhaseRolledBack, fmt.Sprintf("%s was rolled back at %s by %s: %s", s.Latch.Release, clock(s.Latch.Time),
			s.Latch.Who, s.Latch.Reason)
	case state.Begun != nil:
		return PhaseShifting, fmt.Sprintf("the shift from %d %% to %d %% was admitted at %s and has not passed its gate yet",
			state.Weight, state.Begun.To, clock(state.Begun.Time))
	case state.Weight == 0 && f.before != nil:
		return PhaseIdle, fmt.Sprintf("no canary serves requests: %s was rolled back at %s by %s, and the configuration "+
			"now names another image",
			f.before.Release, clock(f.before.Time), f.before.Who)
	case state.Weight == 0:
		return PhaseIdle, "no canary serves requests"
	case s.Soak != nil && s.Soak.Source == SourceLook && s.Soak.Verdict == gate.Pass && s.Soak.Soaked >= s.Soak.Required:
		return PhaseReady, fmt.Sprintf("%s has soaked at %d %% and meets its criteria", state.Release, state.Weight)
	default:
		return PhaseSoaking, fmt.Sprintf("%s soaks at %d %%", state.Release, state.Weight)
	}
}

// notes lists contradictions and next steps, the most urgent first.
func (s *Status) notes(f facts) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if f.single {
		return s.podNotes(notes)
	}
	if s.Phase == PhaseRollingBack {
		add("finish the rollback: rollout rollback -s %s", s.Stack)
	}
	if canary := s.track("canary"); canary != nil && canary.Taking > 0 && f.state != nil && f.state.Weight == 0 &&
		f.state.Begun == nil {
		add("%d canary pods serve requests although the ledger says 0 %%: rollout rollback -s %s", canary.Taking, s.Stack)
	}
	if note := s.unverified(f); note != "" {
		notes = append(notes, note)
	}
	if s.Phase == PhaseRolledBack {
		if s.Weight.Asked == 0 && s.behind() {
			add("the stack does not reflect the rollback yet: rollout rollback -s %s, or pulumi up --refresh -s %s", s.Stack,
				s.Stack)
		}
		if s.Weight.Asked > 0 {
			add("the configuration still asks for %d %%, which the latch refuses: rollout rollback -s %s, or set another "+
				"image: pulumi config set image IMAGE -s %s", s.Weight.Asked, s.Stack, s.Stack)
		}
		if f.released == s.Latch.Seq {
			add("the configuration releases the latch; the next update may raise the image's weight again: pulumi up -s %s",
				s.Stack)
		} else {
			add("once the cause is fixed: rollout unlatch -s %s --reason WHY", s.Stack)
		}
	}
	if f.state != nil && s.Phase != PhaseRolledBack && s.Phase != PhaseRollingBack && s.Weight.Asked != f.state.Weight {
		add("the configuration asks for %d %%, the rollout is at %d %%: continue with pulumi up -s %s",
			s.Weight.Asked, f.state.Weight, s.Stack)
	}
	if s.Phase == PhaseReady {
		add("next: %s%s", s.next(f), s.when())
	}
	if s.Soak != nil && s.Soak.Verdict == gate.Fail {
		add("the canary exceeds the rollback limit: rollout rollback -s %s", s.Stack)
	}
	if s.Guard.Wanted && f.state != nil && f.state.Weight > 0 &&
		s.Guard.isGone(s.Time) {
		add("no guard is active, and a bad canary is not rolled back between updates: kubectl logs -n %s deploy/%s-guard",
			s.Namespace, s.App)
	}
	return s.podNotes(notes)
}

// isolated is the note about pods that somebody has taken out of the Service by their label; empty for none. After a
// rollback and in a quarantine they are meant to be out.
func (s *Status) isolated(track Track) string {
	meant := s.Phase == PhaseRolledBack || s.Phase == PhaseRollingBack || s.Quarantine != nil
	if track.Isolated == 0 || meant {
		return ""
	}
	return fmt.Sprintf("%d of %d pods of %s are labelled %s=%s and get no requests: kubectl label pods -n %s -l "+
		"%s=%s,%s=%s %s=%s --overwrite, or rollout rollback -s %s", track.Isolated, track.Desired, track.Deployment,
		names.Traffic, names.Isolated, s.Namespace, names.App, s.App, names.Track, track.Name, names.Traffic, names.Enabled,
		s.Stack)
}

// unverified is the note about pods that take requests by a shift whose gate has not passed; empty for none. An update
// that runs may be about to pass it; one that was killed, or that left the gate out, is not.
func (s *Status) unverified(f facts) string {
	canary := s.track("canary")
	if s.Phase != PhaseShifting || canary == nil || canary.Taking == 0 || f.state.Begun.To == 0 ||
		f.state.Begun.To < f.state.Weight {
		return ""
	}
	return fmt.Sprintf("%s takes requests and was never verified at %d %%: smoke suite and bake have not passed; unless "+
		"an update runs them now, run it without --exclude and --target: pulumi up -s %s", f.state.Begun.Release,
		f.state.Begun.To, s.Stack)
}

func (s *Status) podNotes(notes []string) []string {
	for _, track := range s.Tracks {
		notes = append(notes, track.Problems...)
		if note := s.isolated(track); note != "" {
			notes = append(notes, note)
		}
		if track.Exists && s.Phase != PhaseRolledBack && s.Phase != PhaseRollingBack && s.Phase != PhaseShifting &&
			track.Desired != track.Planned {
			notes = append(notes, fmt.Sprintf("%s has %d pods, the plan says %d: pulumi up --refresh -s %s", track.Deployment,
				track.Desired, track.Planned, s.Stack))
		}
	}
	return notes
}

// behind reports whether the last update that passed its gate left the canary with requests.
func (s *Status) behind() bool { return s.Weight.Passed != nil && *s.Weight.Passed > 0 }

// next is the command for the next stage.
func (s *Status) next(f facts) string {
	for _, weight := range f.stages {
		if weight > f.state.Weight {
			return fmt.Sprintf("rollout advance -s %s --to %d", s.Stack, weight)
		}
	}
	return "rollout finish -s " + s.Stack
}

func (s *Status) track(name string) *Track {
	i := slices.IndexFunc(s.Tracks, func(t Track) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Tracks[i]
}

// order is no when a person is needed, and unknown when too much is missing to decide.
func (s *Status) order() Order {
	critical := slices.ContainsFunc(s.Alerts, func(a Alert) bool { return a.Severity == "critical" })
	failed := s.Soak != nil && s.Soak.Verdict == gate.Fail
	unsettled := s.Phase == PhaseRolledBack && (s.Weight.Asked > 0 || s.behind())
	short := slices.ContainsFunc(s.Tracks, func(t Track) bool {
		return len(t.Problems) > 0 || t.Exists &&
			t.Ready < t.Desired
	})
	stray := false
	if canary := s.track("canary"); canary != nil && s.Weight.Stands != nil {
		stray = canary.Taking > 0 && *s.Weight.Stands == 0 && s.Phase != PhaseShifting
	}
	switch {
	case s.Phase == PhaseRollingBack, critical, failed, unsettled, short, stray:
		return OutOfOrder
	case s.Phase == PhaseUnknown, len(s.Missing) > 0, s.Soak != nil && s.Soak.Verdict == gate.Error:
		return OrderUnknown
	default:
		return InOrder
	}
}

// Verdict returns the order as a verdict, for the exit code.
func (s *Status) Verdict() gate.Verdict {
	switch s.Order {
	case InOrder:
		return gate.Pass
	case OutOfOrder:
		return gate.Fail
	default:
		return gate.Error
	}
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func appendSeconds(d time.Duration) []byte {
	return strconv.AppendFloat(nil, d.Seconds(), 'f', -1, 64)
}

// short abbreviates a digest.
func short(image string) string {
	_, digest, ok := strings.Cut(image, "@")
	if !ok {
		digest = image
	}
	name, hash, ok := strings.Cut(digest, ":")
	const shown = 12
	if !ok || len(hash) <= shown {
		return digest
	}
	return name + ":" + hash[:shown]
}
