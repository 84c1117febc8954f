package forecast

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/quarantine"
	"github.com/vextrus/finance-rollout/internal/simulate"
)

// Forecast is what is to be expected of a release.
type Forecast struct {
	Stack string `json:"stack,omitempty"`
	// Seed and Runs make the forecast repeatable: Runs releases like the present one were simulated.
	Seed    uint64    `json:"seed"`
	Runs    int       `json:"runs"`
	Start   time.Time `json:"start"`
	Traffic Traffic   `json:"traffic"`
	Stages  []Stage   `json:"stages"`
	// Half and Most are the times by which 50 and 90 % of the runs are done; nil if fewer are.
	Half *time.Time `json:"half"`
	Most *time.Time `json:"most"`
	// RolledBack is the probability that a release as good as the present one is rolled back, Undecided that a stage is
	// undecided after all extensions.
	RolledBack Chance `json:"rolledBack"`
	Undecided  Chance `json:"undecided"`
	// Bad are releases that are bad from their first request on.
	Bad  []Bad `json:"bad"`
	Cost Cost  `json:"cost"`
	// Budget is the answer to a budget; nil without one.
	Budget *Budget `json:"budget,omitempty"`
}

// Traffic sums up the profile.
type Traffic struct {
	Source  string   `json:"source"`
	Mean    Hour     `json:"mean"`
	Busiest float64  `json:"busiest"`
	Notes   []string `json:"notes,omitempty"`
}

// Chance is a number of runs, with the upper bound of the probability at 95 % confidence.
type Chance struct {
	Runs  int     `json:"runs"`
	Share float64 `json:"share"`
	Upper float64 `json:"upper"`
}

// Stage is the forecast of one stage.
type Stage struct {
	Weight int `json:"weight"`
	// Canary and Stable are the pods, CPU what they request.
	Canary int     `json:"canary"`
	Stable int     `json:"stable"`
	CPU    float64 `json:"cpu"`
	Needs  []Need  `json:"needs"`
	// Half and Most are the times by which 50 and 90 % of the runs have passed the stage; nil if fewer have.
	Half *time.Time `json:"half"`
	Most *time.Time `json:"most"`
	// Lasts is the median time from the entry to the pass; Extended how many runs were extended.
	Lasts    time.Duration `json:"lasts"`
	Extended int           `json:"extended"`
}

// Cost is what the trial takes beside the service without it: the most pods and CPU at once, and their hours.
type Cost struct {
	Pods     int     `json:"pods"`
	CPU      float64 `json:"cpu"`
	PodHours float64 `json:"podHours"`
	CPUHours float64 `json:"cpuHours"`
}

// Bounds of the number of runs, and of the simulated steps of all runs together. The steps bound the time of a
// forecast without a clock, so that the same seed has the same number of runs on any machine.
const (
	fewestRuns = 40
	mostRuns   = 400
	mostSteps  = 3_000_000
)

// usualStep is the step of the simulated traffic of a healthy release. A soak lasts for days.
const usualStep = time.Minute

// effort is how many releases are simulated: healthy ones, 0 for as many as the steps allow, and bad ones of each
// share.
type effort struct{ runs, bad int }

// of is the effort of that many runs, 0 for the usual one.
func of(runs int) effort {
	if runs == 0 {
		return effort{bad: badRuns}
	}
	return effort{runs: runs, bad: runs}
}

// Compute forecasts the release by that many simulated ones, 0 for as many as take some seconds. It returns an
// *UndecidedError if the traffic cannot decide it.
func Compute(ctx context.Context, profile Profile, p Plan, seed uint64, runs int) (Forecast, error) {
	return compute(ctx, profile, p, seed, of(runs))
}

func compute(ctx context.Context, profile Profile, p Plan, seed uint64, effort effort) (Forecast, error) {
	if err := p.Validate(); err != nil {
		return Forecast{}, err
	}
	if err := Decidable(profile, p); err != nil {
		return Forecast{}, err
	}
	m := newSimulator(profile, p, seed)
	outcomes, err := m.all(ctx, effort.runs)
	if err != nil {
		return Forecast{}, err
	}
	forecast, err := m.sum(outcomes)
	if err != nil {
		return Forecast{}, err
	}
	if forecast.Bad, err = m.bad(ctx, p.Stages[0], effort.bad); err != nil {
		return Forecast{}, err
	}
	return forecast, nil
}

// simulator simulates releases of a plan.
type simulator struct {
	profile Profile
	plan    Plan
	seed    uint64
	step    time.Duration
}

func newSimulator(profile Profile, p Plan, seed uint64) *simulator {
	m := &simulator{profile: profile, plan: p, seed: seed, step: usualStep}
	if bake := p.Limits.Bake.Duration; bake > 0 {
		m.step = min(m.step, max(bake/5, 5*time.Second).Truncate(time.Second))
	}
	// A long soak needs no finer look.
	m.step = max(m.step, (m.length() / (mostSteps / fewestRuns)).Truncate(time.Second))
	return m
}

// length is the time of all stages without extensions.
func (m *simulator) length() time.Duration {
	return time.Duration(len(m.plan.Stages)) * (m.plan.Limits.Soak.Duration + m.slack())
}

// slack is the time that a stage usually takes beside its soak.
func (m *simulator) slack() time.Duration { return 3*m.plan.bakes() + time.Hour }

// runs is the number of runs that the steps allow, where one run takes so many.
func runs(steps int) int { return min(max(mostSteps/max(steps, 1), fewestRuns), mostRuns) }

// outcome is how one run ends. rolledBack and undecided are the index of the stage at which it does; -1 if it does
// not.
type outcome struct {
	passed                []passage
	rolledBack, undecided int
	// steps are those that were simulated. A look at the evidence takes as long as lookSteps of them.
	steps int
}

const lookSteps = 30

// passage is a stage that was passed.
type passage struct {
	begin, end time.Time
	extended   bool
}

// all simulates that many runs, 0 for as many as the steps allow, and as many at a time as there are processors.
func (m *simulator) all(ctx context.Context, number int) ([]outcome, error) {
	first, err := m.run(ctx, m.seedOf(0))
	if err != nil {
		return nil, err
	}
	if number == 0 {
		number = runs(first.steps)
	}
	outcomes := make([]outcome, number)
	outcomes[0] = first
	return outcomes, parallel(ctx, number-1, func(ctx context.Context, i int) error {
		var err error
		outcomes[i+1], err = m.run(ctx, m.seedOf(i+1))
		return err
	})
}

func parallel(ctx context.Context, runs int, run func(ctx context.Context, number int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for number := range runs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return run(ctx, number)
		})
	}
	return group.Wait()
}

// seedOf is the seed of a run.
func (m *simulator) seedOf(number int) uint64 {
	return rand.NewPCG(m.seed, uint64(number)).Uint64() //nolint:gosec // a number of a run is not negative
}

// run simulates a release that is as good as the present one.
func (m *simulator) run(ctx context.Context, seed uint64) (outcome, error) {
	result := outcome{rolledBack: -1, undecided: -1}
	days := m.profile.draw(seed)
	at := m.plan.open(m.plan.Start, time.Time{})
	for i, weight := range m.plan.Stages {
		stage, err := m.stage(ctx, days, seed, i, weight, at)
		if err != nil {
			return outcome{}, err
		}
		extensions := 0
		result.steps += int(stage.End.Sub(stage.Start) / m.step)
		for _, event := range stage.Events {
			switch event.Action {
			case simulate.Extended:
				extensions++
			case simulate.Refused:
				result.steps += lookSteps * int(m.plan.bakes()/m.limits(weight, m.step).Bake.Interval)
			}
			result.steps += lookSteps
		}
		last := stage.Outcome()
		switch {
		case last.Action == simulate.RolledBack:
			result.rolledBack = i
			return result, nil
		case last.Action != simulate.Passed || extensions > m.plan.Extensions:
			result.undecided = i
			return result, nil
		}
		result.passed = append(result.passed, passage{begin: at, end: last.At, extended: extensions > 0})
		at = m.plan.open(last.At, at)
	}
	return result, nil
}

// stage simulates a stage from its entry on. Most stages pass at once, or after a night without enough requests for a
// bake: only the others need the traffic of a longer time, which continues that of the shorter one.
func (m *simulator) stage(ctx context.Context, days *drawn, seed uint64, index, weight int,
	begin time.Time) (simulate.Result, error) {
	course := simulate.Course{Start: begin, Step: m.step, Beside: weight < 100, Seed: seed,
		Stream: uint64(index) + 1, //nolint:gosec // an index is never negative
		At: func(end time.Time) (canary, stable simulate.Behaviour) {
			hour := days.at(end.Add(-m.step))
			part := float64(weight) / 100
			return hour.behaviour(part), hour.behaviour(1 - part)
		}}
	limits := m.limits(weight, m.step)
	var result simulate.Result
	usual := m.plan.Limits.Soak.Duration + m.slack()
	for _, horizon := range []time.Duration{usual, usual + day, m.plan.longest() + 7*day} {
		course.Duration = max(horizon, 2*m.step)
		traffic, err := course.Traffic()
		if err != nil {
			return simulate.Result{}, err
		}
		traffic.Durations = m.profile.Durations
		if result, err = simulate.RunTraffic(ctx, traffic, limits); err != nil {
			return simulate.Result{}, fmt.Errorf("simulate %d %%: %w", weight, err)
		}
		if result.Outcome().Action != simulate.Ended {
			break
		}
	}
	return result, nil
}

// limits are the plan's at a weight for traffic in steps: a bake that looks more often sees nothing new.
func (m *simulator) limits(weight int, step time.Duration) simulate.Limits {
	limits := m.plan.Limits
	if weight > quarantine.MostWeight {
		limits.Quarantine = nil
	}
	limits.Bake.Interval = max(limits.Bake.Interval, step)
	return limits
}

// behaviour is that of a track with a part of the requests.
func (h Hour) behaviour(part float64) simulate.Behaviour {
	return simulate.Behaviour{Rate: h.Rate * part, Errors: h.Errors, Slow: h.Slow}
}

// sum adds the outcomes up.
func (m *simulator) sum(outcomes []outcome) (Forecast, error) {
	forecast := Forecast{Stack: m.plan.Stack, Seed: m.seed, Runs: len(outcomes),
		Start: m.plan.open(m.plan.Start, time.Time{}),
		Traffic: Traffic{Source: m.profile.Source, Mean: m.profile.overall(), Busiest: m.profile.busiest(),
			Notes: m.profile.Notes}}
	rolledBack, undecided := 0, 0
	for _, one := range outcomes {
		if one.rolledBack >= 0 {
			rolledBack++
		}
		if one.undecided >= 0 {
			undecided++
		}
	}
	forecast.RolledBack, forecast.Undecided = chance(rolledBack, len(outcomes)), chance(undecided, len(outcomes))
	for i, weight := range m.plan.Stages {
		stage, err := m.sumStage(outcomes, i, weight)
		if err != nil {
			return Forecast{}, err
		}
		forecast.Stages = append(forecast.Stages, stage)
		forecast.Cost.add(stage, m.plan)
	}
	last := forecast.Stages[len(forecast.Stages)-1]
	forecast.Half, forecast.Most = last.Half, last.Most
	return forecast, nil
}

func (m *simulator) sumStage(outcomes []outcome, index, weight int) (Stage, error) {
	position, err := m.plan.Split(weight)
	if err != nil {
		return Stage{}, err
	}
	stage := Stage{Weight: weight, Canary: position.Canary, Stable: position.Stable,
		CPU:   float64(position.Canary)*m.plan.CanaryCPU + float64(position.Stable)*m.plan.StableCPU,
		Needs: m.plan.needs(m.profile, weight)}
	var ends []time.Time
	var lengths []time.Duration
	for _, one := range outcomes {
		if index >= len(one.passed) {
			continue
		}
		passed := one.passed[index]
		ends, lengths = append(ends, passed.end), append(lengths, passed.end.Sub(passed.begin))
		if passed.extended {
			stage.Extended++
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	slices.Sort(lengths)
	stage.Half, stage.Most = quantile(ends, len(outcomes), 0.5), quantile(ends, len(outcomes), 0.9)
	if len(lengths) > 0 {
		stage.Lasts = lengths[len(lengths)/2]
	}
	return stage, nil
}

// quantile is the time by which that share of all runs is done; nil if fewer are.
func quantile(done []time.Time, runs int, share float64) *time.Time {
	index := int(math.Ceil(share*float64(runs))) - 1
	if index >= len(done) {
		return nil
	}
	at := done[max(index, 0)].UTC().Truncate(time.Minute)
	return &at
}

func chance(count, runs int) Chance {
	_, upper := gate.Interval(int64(runs), int64(count), 0.9)
	return Chance{Runs: count, Share: float64(count) / float64(runs), Upper: upper}
}

// add adds what a stage takes beside the service without a trial.
func (c *Cost) add(stage Stage, p Plan) {
	pods := max(stage.Canary+stage.Stable-p.Replicas, 0)
	cpu := max(stage.CPU-float64(p.Replicas)*p.StableCPU, 0)
	c.Pods, c.CPU = max(c.Pods, pods), max(c.CPU, cpu)
	c.PodHours += float64(pods) * stage.Lasts.Hours()
	c.CPUHours += cpu * stage.Lasts.Hours()
}
