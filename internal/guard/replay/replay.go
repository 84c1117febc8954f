package replay

import (
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/guard/blame"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/quarantine"
)

// Rules are what a guard judges by.
type Rules struct {
	// Criterion has the limit and the level.
	Criterion gate.Criterion
	// Quarantine has the pauses of a guard that isolates on fast evidence; with nil, fast evidence convicts. It convicts
	// before From as well: during a shift, the update under way judges.
	Quarantine *quarantine.Policy
	From       time.Time
	// Quiet is the longest time without a failure at the canary that is judged at once, for those who judge many streams;
	// 0 judges each interval by itself. Without failures the evidence only falls.
	Quiet time.Duration
}

// Kind is what happens to a canary.
type Kind string

const (
	// Shared means that both tracks fail: a person is told, and the evidence is dropped.
	Shared Kind = "shared"
	// Quarantined means that the canary leaves traffic until a time.
	Quarantined Kind = "quarantined"
	// Readmitted means that it is let in again.
	Readmitted Kind = "readmitted"
	// RolledBack means that it leaves for good. It is the last event.
	RolledBack Kind = "rolled back"
)

// Event is something that a guard does.
type Event struct {
	At   time.Time
	Kind Kind
	// Result is the evidence, with the reason in words. A readmission has none.
	Result gate.Result
	// Offence and Until are those of a quarantine; a readmission has the offence. Cause is that of a conviction.
	Offence int
	Until   time.Time
	Cause   string
}

// fresh is the number of the newest intervals that are never judged together: an inquiry compares the last seconds.
const fresh = 5

// interval are the counts of the time from the one before to its end.
type interval struct {
	end            time.Time
	canary, stable gate.Counts
}

// Guard judges one canary. It is not safe for concurrent use.
type Guard struct {
	rules        Rules
	court        *blame.Court
	fast, proven *gate.Detector
	state        quarantine.State
	// served are the canary's requests since it was let in, before those of earlier admissions.
	served, before gate.Counts
	// last is the time up to which there are counts; left is when the last quarantine began.
	last, left time.Time
	convicted  bool
	suspected  bool
	// pending are the calm intervals since begun that are judged together, recent the newest ones.
	pending interval
	begun   time.Time
	recent  []interval
}

// New makes a guard of a canary that gets its first requests at the start.
func New(rules Rules, start time.Time) *Guard {
	g := &Guard{rules: rules, court: blame.NewCourt(rules.Criterion), last: start}
	g.admit(start)
	return g
}

// State is where the canary stands by its quarantines.
func (g *Guard) State() quarantine.State { return g.state }

// InTraffic reports whether the canary gets requests.
func (g *Guard) InTraffic() bool { return !g.convicted && g.state.InTraffic() }

// admit begins new evidence for a canary that is let in. The burst-robust one goes on: a pause ends a block.
func (g *Guard) admit(now time.Time) {
	limit := g.rules.Criterion.Rollback
	g.fast, g.served, g.suspected = gate.NewDetector(limit), gate.Counts{}, false
	switch {
	case g.rules.Quarantine == nil:
	case g.proven == nil || g.proven.Observe(now.Sub(g.left), gate.Counts{}, gate.Counts{}) != nil:
		g.proven = gate.NewCappedDetector(limit, quarantine.Proof())
	}
	g.court.Begin(now, g.fast, g.proven)
	g.court.Join(names.Canary, true, true, now)
	g.court.Join(names.Stable, false, true, now)
	g.pending, g.begun, g.recent = interval{end: now}, now, g.recent[:0]
}

// Add adds the counts of both tracks since the last call, and gives what the guard does. Those of a canary that is out
// of traffic do not count. Impossible counts are an error.
func (g *Guard) Add(end time.Time, canary, stable gate.Counts) ([]Event, error) {
	if !end.After(g.last) {
		return nil, fmt.Errorf("counts up to %s come after those up to %s", end.Format(time.RFC3339Nano),
			g.last.Format(time.RFC3339Nano))
	}
	g.last = end
	switch {
	case g.convicted:
		return nil, nil
	case !g.state.InTraffic():
		return g.wait(end), nil
	}
	next := interval{end, canary, stable}
	if g.rules.Quiet > 0 && canary.K == 0 && !g.suspected {
		return nil, g.put(next)
	}
	if err := g.flush(); err != nil {
		return nil, err
	}
	return g.judge(next)
}

// wait lets the canary in again where its pause is over.
func (g *Guard) wait(now time.Time) []Event {
	state, action := g.rules.Quarantine.Next(g.state, quarantine.Look{At: now})
	g.state = state
	if action.Verb != quarantine.AdmitOne {
		return nil
	}
	g.admit(now)
	return []Event{{At: now, Kind: Readmitted, Offence: state.Offences}}
}

// put keeps a calm interval for later. Such an interval asks for no verdict.
func (g *Guard) put(next interval) error {
	g.recent = append(g.recent, next)
	if len(g.recent) <= fresh {
		return nil
	}
	oldest := g.recent[0]
	g.recent = append(g.recent[:0], g.recent[1:]...)
	g.pending = interval{oldest.end, g.pending.canary.Plus(oldest.canary), g.pending.stable.Plus(oldest.stable)}
	if g.pending.end.Sub(g.begun) < g.rules.Quiet {
		return nil
	}
	return g.together()
}

// together judges the pending intervals as one.
func (g *Guard) together() error {
	if g.pending.end.Equal(g.begun) {
		return nil
	}
	_, err := g.judge(g.pending)
	return err
}

// flush judges all calm intervals.
func (g *Guard) flush() error {
	if err := g.together(); err != nil {
		return err
	}
	for _, one := range g.recent {
		if _, err := g.judge(one); err != nil {
			return err
		}
	}
	g.recent = g.recent[:0]
	return nil
}

// judge lets the court judge an interval.
func (g *Guard) judge(i interval) ([]Event, error) {
	g.pending, g.begun = interval{end: i.end}, i.end
	g.served = g.served.Plus(i.canary)
	stable := func(counts gate.Counts) (blame.Step, error) {
		return g.court.Scraped(names.Stable, blame.Scrape{Began: i.end, Ended: i.end, Requests: counts})
	}
	if _, err := stable(i.stable); err != nil {
		return nil, fmt.Errorf("count stable: %w", err)
	}
	step, err := g.court.Scraped(names.Canary, blame.Scrape{Began: i.end, Ended: i.end, Requests: i.canary})
	if err == nil && len(step.Ask) > 0 {
		step, err = stable(gate.Counts{})
	}
	if err != nil {
		return nil, fmt.Errorf("count the canary: %w", err)
	}
	var events []Event
	switch step.Verdict {
	case blame.Shared:
		events = append(events, Event{At: i.end, Kind: Shared, Result: evidence(step, gate.Inconclusive)})
	case blame.Canary:
		events = append(events, g.offend(i.end, step))
	}
	if criterion := g.rules.Criterion; i.canary.K > 0 || g.suspected {
		g.suspected = criterion.Suspects(g.fast) || g.proven != nil && criterion.Suspects(g.proven)
	}
	return events, nil
}

func evidence(step blame.Step, verdict gate.Verdict) gate.Result {
	result := step.Detection.Result
	result.Verdict, result.Reason = verdict, step.Reason()
	return result
}

// offend answers evidence against the canary that stable's counts bear out.
func (g *Guard) offend(now time.Time, step blame.Step) Event {
	event := Event{At: now, Kind: RolledBack, Result: evidence(step, gate.Fail)}
	if policy := g.rules.Quarantine; policy != nil && !now.Before(g.rules.From) {
		all := g.before.Plus(g.served)
		state, action := policy.Next(g.state, quarantine.Look{At: now, Served: g.served.N, Fast: true, Proven: step.Proven,
			Total: quarantine.IsTotal(all.N, all.K)})
		g.state, event.Cause = state, action.Cause
		if action.Verb == quarantine.Isolate {
			event.Kind, event.Offence, event.Until = Quarantined, state.Offences, action.Until
			event.Result.Verdict = gate.Inconclusive
			g.leave(now)
			return event
		}
	}
	g.convicted = true
	g.court.End()
	return event
}

// leave takes the canary out of traffic for a pause.
func (g *Guard) leave(now time.Time) {
	g.left, g.before = now, g.before.Plus(g.served)
	g.court.End()
	g.court.Leave(names.Canary)
	g.court.Leave(names.Stable)
}
