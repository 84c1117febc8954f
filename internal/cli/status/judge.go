package status

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// leaseOld is the age from which on a guard's Lease says that no guard acts.
const leaseOld = 15 * time.Second

// facts are what the judgement rests on beside the Status itself.
type facts struct {
	single bool
	stages plan.Stages
	// state is nil when the ledger could not be read.
	state *ledger.State
	// released is the number of the latch that the configuration releases.
	released int
	// before is the latch of the release that had requests last, where the configuration names another image since.
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
		return PhaseRollingBack, fmt.Sprintf("a rollback was begun at %s by %s and its outcome is not recorded: %s",
			clock(state.Unfinished.Time), state.Unfinished.Who, state.Unfinished.Reason)
	case s.Latch != nil && state.Weight == 0 && state.Begun == nil:
		return PhaseRolledBack, fmt.Sprintf("%s was rolled back at %s by %s: %s", s.Latch.Release, clock(s.Latch.Time),
			s.Latch.Who, s.Latch.Reason)
	case state.Begun != nil:
		return PhaseShifting, fmt.Sprintf("the shift from %d %% to %d %% was let through at %s and has not passed its "+
			"gate yet",
			state.Weight, state.Begun.To, clock(state.Begun.Time))
	case state.Weight == 0 && f.before != nil:
		return PhaseIdle, fmt.Sprintf("no canary has requests: %s was rolled back at %s by %s, and the configuration "+
			"names another image since",
			f.before.Release, clock(f.before.Time), f.before.Who)
	case state.Weight == 0:
		return PhaseIdle, "no canary has requests"
	case s.Soak != nil && s.Soak.Source == SourceLook && s.Soak.Verdict == gate.Pass && s.Soak.Soaked >= s.Soak.Required:
		return PhaseReady, fmt.Sprintf("%s is soaked at %d %% and its evidence is good", state.Release, state.Weight)
	default:
		return PhaseSoaking, fmt.Sprintf("%s is watched at %d %%", state.Release, state.Weight)
	}
}

// notes are what does not fit together and what to do next, the most pressing first.
func (s *Status) notes(f facts) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if f.single {
		return s.podNotes(notes)
	}
	if s.Phase == PhaseRollingBack {
		add("carry the rollback through: rollout rollback -s %s", s.Stack)
	}
	if canary := s.track("canary"); canary != nil && canary.Taking > 0 && f.state != nil && f.state.Weight == 0 &&
		f.state.Begun == nil {
		add("%d canary pods take requests, although the ledger says 0 %%: rollout rollback -s %s", canary.Taking, s.Stack)
	}
	if s.Phase == PhaseRolledBack {
		if s.Weight.Asked == 0 && s.behind() {
			add("the stack has not followed the rollback yet: rollout rollback -s %s, or `pulumi up --refresh -s %s`", s.Stack,
				s.Stack)
		}
		if s.Weight.Asked > 0 {
			add("the configuration still asks for %d %%, which the latch refuses: settle with `rollout rollback -s %s`, or "+
				"set another image", s.Weight.Asked, s.Stack)
		}
		if f.released == s.Latch.Seq {
			add("the configuration releases the latch; an update lets the image in again")
		} else {
			add("when the cause is gone: rollout unlatch -s %s --reason WHY", s.Stack)
		}
	}
	if f.state != nil && s.Phase != PhaseRolledBack && s.Phase != PhaseRollingBack && s.Weight.Asked != f.state.Weight {
		add("the configuration asks for %d %%, the rollout stands at %d %%: an unchanged `pulumi up -s %s` goes on",
			s.Weight.Asked, f.state.Weight, s.Stack)
	}
	if s.Phase == PhaseReady {
		add("next: %s", s.next(f))
	}
	if s.Soak != nil && s.Soak.Verdict == gate.Fail {
		add("the evidence shows the canary to be worse than the rollback limit: rollout rollback -s %s", s.Stack)
	}
	if s.Guard.Wanted && f.state != nil && f.state.Weight > 0 &&
		(s.Guard.Leader == "" || s.Time.Sub(s.Guard.Renewed) > leaseOld) {
		add("no guard acts: nobody takes a bad canary out between two updates; kubectl logs -n %s deploy/%s-guard",
			s.Namespace, s.App)
	}
	return s.podNotes(notes)
}

func (s *Status) podNotes(notes []string) []string {
	for _, track := range s.Tracks {
		notes = append(notes, track.Problems...)
		if track.Exists && s.Phase != PhaseRolledBack && s.Phase != PhaseRollingBack && s.Phase != PhaseShifting &&
			track.Desired != track.Planned {
			notes = append(notes, fmt.Sprintf("%s has %d pods and the plan %d: pulumi up --refresh -s %s", track.Deployment,
				track.Desired, track.Planned, s.Stack))
		}
	}
	return notes
}

// behind tells that the last update which passed left the canary with requests.
func (s *Status) behind() bool { return s.Weight.Passed != nil && *s.Weight.Passed > 0 }

// next is the command that takes the rollout on.
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

// order says no where a person is needed, and unknown where too little could be read to say yes.
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

// Verdict is the order as a verdict, for the exit code.
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

// short is a digest as people compare it.
func short(image string) string {
	_, digest, found := strings.Cut(image, "@")
	if !found {
		digest = image
	}
	name, hash, ok := strings.Cut(digest, ":")
	const shown = 12
	if !ok || len(hash) <= shown {
		return digest
	}
	return name + ":" + hash[:shown]
}
