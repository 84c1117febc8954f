package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/relative"
)

// Rehearsal is what the gates make of a service's own past in which nothing was released: each stable pod plays the
// canary beside the others. Every rollback and every hold is a false one.
type Rehearsal struct {
	From time.Time     `json:"from"`
	Till time.Time     `json:"till"`
	Step time.Duration `json:"step"`
	// Pods is the number of pods that played the canary; Short is that of pods that did not live long enough.
	Pods  int `json:"pods"`
	Short int `json:"short"`
	// Soak is the length of each trial's soak, Trials their number.
	Soak   time.Duration `json:"soak"`
	Trials int           `json:"trials"`
	// RolledBack are the false rollbacks by who made them; Upper is the upper bound of their share at 95 % confidence.
	RolledBack map[Source]int `json:"rolledBack"`
	Upper      float64        `json:"upper"`
	// Held are the trials that did not pass and were not rolled back, Worse those that the comparison with stable holds,
	// Quarantined those with a quarantine.
	Held        int `json:"held"`
	Worse       int `json:"worse"`
	Quarantined int `json:"quarantined"`
	// First are the first false alarms, for a look at what happened then.
	First []Alarm `json:"first,omitempty"`
	// Bursts says how the errors come together; Quarantine is whether the guard isolates before it rolls back.
	Bursts     Burstiness `json:"bursts"`
	Quarantine bool       `json:"quarantine"`
}

// Alarm is a false one.
type Alarm struct {
	Pod    string    `json:"pod"`
	At     time.Time `json:"at"`
	By     Source    `json:"by"`
	Reason string    `json:"reason"`
}

// ByComparison is the comparison with stable.
const ByComparison Source = "comparison"

// mostAlarms is the number of alarms that are named.
const mostAlarms = 5

// errShortPast is the error of a past in which no pod lived long enough.
var errShortPast = errors.New("no pod of the stable track was counted long enough")

// LacksPast reports whether a rehearsal failed because there is too little of a past: no request, or no pod that lived
// long enough. How the errors come is known in the second case.
func LacksPast(err error) bool { return errors.Is(err, errNoPast) || errors.Is(err, errShortPast) }

// IsBursty reports whether the errors plainly come in bursts.
func (b Burstiness) IsBursty() bool { return b.Dispersion >= plainlyBursty }

// Rehearse lets every stable pod play the canary, one soak after the other, and judges each by the limits. compared is
// what the comparison with stable allows; nil for none.
func Rehearse(ctx context.Context, past *Past, limits Limits, compared *relative.Limits) (Rehearsal, error) {
	length := limits.Soak.Duration + 3*limits.Bake.Duration + time.Hour
	steps := int(length / past.Step)
	result := Rehearsal{From: past.Start, Till: past.Start.Add(time.Duration(len(past.all)) * past.Step), Step: past.Step,
		Soak: limits.Soak.Duration, RolledBack: map[Source]int{}, Bursts: past.burstiness(),
		Quarantine: limits.Quarantine != nil}
	for _, name := range past.names() {
		pod, plays := past.pods[name], false
		for from := pod.first; from+steps <= pod.end(); from += steps {
			plays = true
			if err := result.trial(ctx, name, past.as(pod, from, steps), limits, compared); err != nil {
				return Rehearsal{}, fmt.Errorf("pod %s from %s on: %w", name, past.Start.Add(time.Duration(from)*past.Step).
					Format(time.RFC3339), err)
			}
		}
		if plays {
			result.Pods++
		} else {
			result.Short++
		}
	}
	if result.Trials == 0 {
		return result, fmt.Errorf("%w: a trial needs %v", errShortPast, length)
	}
	_, result.Upper = gate.Interval(int64(result.Trials), int64(result.rolledBack()), 0.9)
	return result, nil
}

func (r *Rehearsal) rolledBack() int {
	sum := 0
	for _, count := range r.RolledBack {
		sum += count
	}
	return sum
}

// trial lets a pod play the canary once.
func (r *Rehearsal) trial(ctx context.Context, pod string, traffic Traffic, limits Limits,
	compared *relative.Limits) error {
	r.Trials++
	result, err := RunTraffic(ctx, traffic, limits)
	if err != nil {
		return err
	}
	outcome := result.Outcome()
	if result.has(Quarantined) {
		r.Quarantined++
	}
	switch outcome.Action {
	case Passed:
	case RolledBack:
		r.RolledBack[outcome.By]++
		r.alarm(Alarm{Pod: pod, At: outcome.At, By: outcome.By, Reason: outcome.Reason})
	default:
		r.Held++
	}
	if compared == nil {
		return nil
	}
	if finding := traffic.compare(*compared); finding != nil {
		r.Worse++
		r.alarm(Alarm{Pod: pod, At: finding.At, By: ByComparison, Reason: fmt.Sprintf("%d of %d failed beside %d of %d",
			finding.Canary.K, finding.Canary.N, finding.Stable.K, finding.Stable.N)})
	}
	return nil
}

func (r *Rehearsal) alarm(alarm Alarm) {
	if len(r.First) < mostAlarms {
		r.First = append(r.First, alarm)
	}
}

// compare compares the errors of both tracks by blocks; nil without a finding.
func (t Traffic) compare(limits relative.Limits) *relative.Finding {
	test := relative.NewErrors(limits, relative.DefaultCap(), t.Start)
	start, canary, stable := t.Start, Counts{}, Counts{}
	for _, interval := range t.Intervals {
		canary, stable = canary.plus(*interval.Canary), stable.plus(*interval.Stable)
		if interval.End.Sub(start) < relative.Block {
			continue
		}
		if !start.Before(t.Start.Add(limits.WarmUp)) {
			test.Add(start, interval.End, canary.requests(), stable.requests(), nil)
		}
		start, canary, stable = interval.End, Counts{}, Counts{}
	}
	return test.Finding()
}

// plainlyBursty is the dispersion from which on errors plainly come in bursts.
const plainlyBursty = 2

// String is the rehearsal for people.
func (r Rehearsal) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d stable pods played the canary from %s to %s, in steps of %v: %d soaks of %v\n", r.Pods,
		r.From.Format(time.RFC3339), r.Till.Format(time.RFC3339), r.Step, r.Trials, r.Soak)
	if r.Short > 0 {
		fmt.Fprintf(&out, "%d pods did not live long enough to play it\n", r.Short)
	}
	fmt.Fprintf(&out, "false rollbacks: %d of %d, with 95 %% confidence at most %.1f %%\n", r.rolledBack(), r.Trials,
		100*r.Upper)
	fmt.Fprintf(&out, "false holds: %d did not pass their soak, %d were held by the comparison with stable\n", r.Held,
		r.Worse)
	if r.Quarantine {
		fmt.Fprintf(&out, "quarantines: in %d of %d soaks\n", r.Quarantined, r.Trials)
	}
	for _, alarm := range r.First {
		fmt.Fprintf(&out, "  %s, pod %s, by the %s: %s\n", alarm.At.Format(time.RFC3339), alarm.Pod, alarm.By, alarm.Reason)
	}
	b := r.Bursts
	fmt.Fprintf(&out, "errors: %.3g %% of the requests; their variance by minute and pod is %.1f times that of "+
		"independent ones (correlation %.2g)\n", 100*b.Share, b.Dispersion, b.Correlation)
	if b.Worst.K > 0 {
		fmt.Fprintf(&out, "the worst minute: %d of %d failed at pod %s from %s on\n", b.Worst.K, b.Worst.N, b.Worst.Pod,
			b.Worst.At.Format(time.RFC3339))
	}
	if b.IsBursty() && !r.Quarantine {
		out.WriteString("the errors come in bursts: guard.quarantine isolates on them and rolls back only on more\n")
	}
	return out.String()
}
