package forecast

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/golden"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/simulate"
)

// monday is the start of the forecasts.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// guide is the plan of the guide's numbers, as a stack has them.
func guide(change func(*Plan)) Plan {
	errorRate, latency := gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95)
	latency.Rollback = 1
	errorRate.MinRequests, latency.MinRequests = 100, 100
	errorRate.Alpha, latency.Alpha = 1e-4, 1e-4
	guard, review := gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95)
	guard.Alpha, review.Alpha = 1e-4, 1e-4
	p := Plan{
		Stack: "production", Start: monday, Stages: plan.DefaultStages(), Extensions: 4, Replicas: 10, CanaryCPU: 0.5,
		StableCPU: 0.5, Split: func(weight int) (plan.Position, error) { return plan.Split(1, weight, 10, 2) },
		Limits: simulate.Limits{
			Criteria: []gate.Criterion{errorRate, latency},
			Bake:     gate.BakeConfig{Duration: 5 * time.Minute, Interval: 15 * time.Second},
			Soak:     plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}, Guard: &guard, Review: &review,
			Scrape: 15 * time.Second,
		},
	}
	if change != nil {
		change(&p)
	}
	return p
}

func steady(t testing.TB, rate, errorShare, slow float64) Profile {
	t.Helper()
	profile, err := Constant(Hour{rate, errorShare, slow})
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

// diurnal has ten times as many requests by day as by night, and few on Sundays.
func diurnal(t testing.TB) Profile {
	t.Helper()
	profile := steady(t, 3, 0.0005, 0.01)
	profile.Source = "traffic by day"
	for weekday := range profile.Days {
		for hour := range profile.Days[weekday][0] {
			of := &profile.Days[weekday][0][hour]
			if hour < 7 || hour >= 20 {
				of.Rate /= 10
			}
			if weekday == 0 {
				of.Rate /= 5
			}
		}
	}
	return profile
}

func computed(t testing.TB, profile Profile, p Plan) Forecast {
	t.Helper()
	forecast, err := compute(t.Context(), profile, p, 1, little)
	if err != nil {
		t.Fatal(err)
	}
	return forecast
}

// little is enough to simulate in a test.
var little = effort{runs: 6, bad: 20}

// With constant traffic and no bad answer each stage takes two steps, the bake and
// the soak: the finish can be computed by hand.
func TestTheFinishOfConstantTraffic(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Plan)
		want   time.Time
	}{
		"four stages": {nil, monday.Add(4 * (2*time.Minute + 5*time.Minute + 48*time.Hour))},
		"two short stages": {func(p *Plan) { p.Stages, p.Limits.Soak.Duration = plan.Stages{50, 100}, 6*time.Hour },
			monday.Add(2 * (2*time.Minute + 5*time.Minute + 6*time.Hour))},
		"no bake": {func(p *Plan) { p.Stages, p.Limits.Bake.Duration = plan.Stages{100}, 0 }, monday.Add(48 * time.Hour)},
		"one stage a week": {func(p *Plan) {
			p.Stages = plan.Stages{50, 100}
			p.Opens = func(at, last time.Time) time.Time {
				if free := last.Add(7 * day); !last.IsZero() && at.Before(free) {
					return free
				}
				return at
			}
		}, monday.Add(7*day + 2*time.Minute + 5*time.Minute + 48*time.Hour)},
		"not before Thursday": {func(p *Plan) {
			p.Stages = plan.Stages{100}
			p.Opens = func(at, _ time.Time) time.Time {
				if thursday := monday.Add(3 * day); at.Before(thursday) {
					return thursday
				}
				return at
			}
		}, monday.Add(3*day + 2*time.Minute + 5*time.Minute + 48*time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			forecast := computed(t, steady(t, 50, 0, 0), guide(tt.change))
			if forecast.Half == nil || forecast.Most == nil || !forecast.Half.Equal(tt.want) || !forecast.Most.Equal(tt.want) {
				t.Errorf("done by %v and %v, want %v", forecast.Half, forecast.Most, tt.want)
			}
			if forecast.RolledBack.Runs != 0 || forecast.Undecided.Runs != 0 || forecast.RolledBack.Upper > 0.5 {
				t.Errorf("%+v, %+v", forecast.RolledBack, forecast.Undecided)
			}
		})
	}
}

// By night a bake lacks requests, and the first stage waits for the morning.
func TestTrafficByDay(t *testing.T) {
	p := guide(func(p *Plan) { p.Start, p.Stages = monday.Add(12*time.Hour), plan.Stages{10, 100} })
	lasts := func() time.Duration {
		t.Helper()
		one, err := newSimulator(diurnal(t), p, 1).run(t.Context(), 1)
		if err != nil || len(one.passed) != 2 {
			t.Fatalf("%+v, %v", one, err)
		}
		return one.passed[0].end.Sub(one.passed[0].begin)
	}
	if night := lasts(); night < 48*time.Hour+9*time.Hour || night > 48*time.Hour+11*time.Hour {
		t.Errorf("the first stage lasts %v, want the night and the soak", night)
	}
	p.Start = monday
	if by := lasts(); by > 48*time.Hour+time.Hour {
		t.Errorf("by day the first stage lasts %v", by)
	}
}

// One request a minute without any error is undecided however long it is watched: the bake never gets its requests.
func TestTooLittleTraffic(t *testing.T) {
	for name, tt := range map[string]struct {
		profile  Profile
		change   func(*Plan)
		problems []string
		want     []string
	}{
		"one request a minute": {steady(t, 1.0/60, 0, 0), nil, []string{"bake 10 %"}, []string{"about 1 requests"}},
		"half a request a minute": {steady(t, 1.0/120, 0, 0), nil, []string{"bake 10 %", "soak 10 %"}, []string{
			"the release cannot be decided at this traffic",
			"bake at 10 %, error rate: about 0.5 requests in the longest bake of 10m in the busiest hour of the week, and " +
				"100 are needed",
			"soak at 10 %, error rate: about 432 requests in 2d with 4 extensions of 1d, and 773 decide without any bad one",
			"a longer bake: pulumi config set --path bake.duration 16h40m -s production",
			"fewer stages: pulumi config set stages '[30,60,100]' -s production",
			"a longer soak: pulumi config set --path soak.duration 258h -s production",
			"another target: pulumi config set --path criteria.errorRate 0.01 -s production",
			"synthetic traffic: 1.66 requests/s more to the service, of which the canary gets its 10 %",
		}},
		"no extension": {steady(t, 0.02, 0, 0), func(p *Plan) { p.Extensions, p.Limits.Bake.Duration = 0, 0 },
			[]string{"soak 10 %"}, []string{"about 346 requests in 2d with 0 extensions", "stages '[30,60,100]'"}},
		"only the bake": {steady(t, 1, 0, 0), nil, []string{"bake 10 %"}, []string{"about 60 requests",
			"bake.duration 9m", "bake.minRequests 60", "stages '[30,60,100]'"}},
		"as bad as the target": {steady(t, 50, 0.006, 0), nil, []string{"soak 10 %"},
			[]string{"0.6 % of the service's requests are bad already: no number of requests",
				"criteria.errorRate 0.0075"}},
		"too near the target": {steady(t, 50, 0.0049, 0), nil, []string{"soak 10 %"}, []string{"proves that to be below"}},
		"near the target": {steady(t, 2, 0.004, 0), func(p *Plan) { p.Extensions = 0 }, []string{"soak 10 %"},
			[]string{"decide at the service's own share of 0.4 %", "stages '[30,60,100]'"}},
		"slow": {steady(t, 50, 0, 0.08), nil, []string{"soak 10 %"},
			[]string{"8 % of the service's requests are bad already: no number", "criteria.slowShare 0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compute(t.Context(), tt.profile, guide(tt.change), 1, 0)
			undecided, ok := errors.AsType[*UndecidedError](err)
			if !ok {
				t.Fatalf("%v", err)
			}
			var problems []string
			for _, problem := range undecided.Problems {
				problems = append(problems, fmt.Sprintf("%s %d %%", problem.Gate, problem.Weight))
			}
			if diff := cmp.Diff(tt.problems, problems); diff != "" {
				t.Error(diff)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in:\n%v", want, err)
				}
			}
		})
	}
}

// What would help does: with each remedy alone, or with those of both gates, the release can be decided.
func TestRemediesHelp(t *testing.T) {
	profile := steady(t, 1.0/120, 0, 0)
	for name, change := range map[string]func(*Plan){
		"longer": func(p *Plan) { p.Limits.Bake.Duration, p.Limits.Soak.Duration = 1000*time.Minute, 258*time.Hour },
		"another target": func(p *Plan) {
			p.Limits.Bake.Duration, p.Limits.Criteria[0].Target = 1000*time.Minute, 0.01
		},
		"fewer stages": func(p *Plan) { p.Limits.Bake.Duration, p.Stages = 1000*time.Minute, plan.Stages{30, 60, 100} },
	} {
		if err := Decidable(profile, guide(change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Decidable(steady(t, 1.0/120+1.66, 0, 0), guide(nil)); err != nil {
		t.Errorf("synthetic traffic: %v", err)
	}
}

// The worse a release is, the sooner it is taken out.
func TestBadReleasesFailFast(t *testing.T) {
	forecast := computed(t, steady(t, 50, 0.0005, 0.01), guide(func(p *Plan) { p.Stages = plan.Stages{10, 100} }))
	limits := map[float64]struct {
		after    time.Duration
		expected float64
		worst    int64
	}{0.02: {40 * time.Minute, 200, 500}, 0.05: {5 * time.Minute, 30, 60}, 0.33: {10 * time.Second, 10, 20},
		1: {3 * time.Second, 15, 25}}
	last := time.Hour
	for _, bad := range forecast.Bad {
		limit := limits[bad.Share]
		if bad.RolledBack != bad.Runs || bad.After > limit.after || bad.Expected > limit.expected ||
			bad.Worst > limit.worst ||
			bad.Worst < 1 || bad.After > last {
			t.Errorf("%+v, want at most %+v", bad, limit)
		}
		last = bad.After
	}
	if len(forecast.Bad) != len(limits) {
		t.Errorf("%d bad releases", len(forecast.Bad))
	}
}

// Without a guard only the bake convicts: a release that fails every answer costs much more.
func TestWithoutAGuardABadReleaseCostsMore(t *testing.T) {
	profile := steady(t, 50, 0.0005, 0.01)
	alone := newSimulator(profile, guide(func(p *Plan) { p.Limits.Guard, p.Limits.Review = nil, nil }), 1)
	bad, err := alone.bad(t.Context(), 10, 20)
	if all := bad[len(bad)-1]; err != nil || all.Worst < 5*30 || all.After < 30*time.Second || all.RolledBack != 20 {
		t.Errorf("%+v, %v; want the answers of two scrapes and a look", all, err)
	}
}

func TestABudgetProposesStages(t *testing.T) {
	exact := func(p *Plan) {
		p.Stages, p.Limits.Soak.Duration = plan.Stages{30, 100}, 3*time.Hour
		p.Split = func(weight int) (plan.Position, error) { return plan.Weigh(1, weight, 10, 10) }
	}
	profile, p := steady(t, 1000, 0, 0.01), guide(exact)
	forecast := computed(t, profile, p)
	ask := func(p Plan, most int64) Budget {
		t.Helper()
		with, err := withBudget(t.Context(), forecast, profile, p, most, little)
		if err != nil {
			t.Fatal(err)
		}
		return *with.Budget
	}
	if kept := ask(p, 10_000); !kept.Kept || kept.Proposed != nil || kept.Worst <= 300 {
		t.Errorf("%+v", kept)
	}
	proposed := ask(p, 350)
	if proposed.Kept || proposed.Proposed == nil || proposed.Least > 350 || proposed.Stages[0] >= 30 ||
		proposed.Stages.Validate() != nil || !strings.HasPrefix(proposed.Command, "pulumi config set stages '[") {
		t.Errorf("%+v", proposed)
	}
	for i, weight := range proposed.Stages[1:] {
		if before := proposed.Stages[i]; weight > steepest*before && proposed.Stages[i+1] != 100 {
			t.Errorf("stages %v are too steep", proposed.Stages)
		}
	}
	if none := ask(p, 1); none.Kept || len(none.Stages) > 0 || none.Least <= 1 ||
		!strings.Contains(none.String(), "no stages keep it") {
		t.Errorf("%+v", none)
	}
	if _, err := WithBudget(t.Context(), forecast, profile, p, -1, 0); err == nil {
		t.Error("a negative budget is allowed")
	}
}

// Pods and CPU beside the service's own: at 100 % the warm stable pods, for as long as the stage lasts.
func TestCost(t *testing.T) {
	forecast := computed(t, steady(t, 50, 0, 0), guide(func(p *Plan) { p.Stages = plan.Stages{50, 100} }))
	hours := 2 * (48*time.Hour + 7*time.Minute).Hours()
	want := Cost{Pods: 2, CPU: 1, PodHours: hours, CPUHours: hours / 2}
	if diff := cmp.Diff(want, forecast.Cost); diff != "" {
		t.Error(diff)
	}
}

func TestTheSeedDecides(t *testing.T) {
	p := guide(func(p *Plan) { p.Stages, p.Limits.Soak.Duration = plan.Stages{10, 100}, 6*time.Hour })
	profile := diurnal(t)
	first, again := computed(t, profile, p), computed(t, profile, p)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same seed: %s", diff)
	}
	second, err := compute(t.Context(), profile, p, 2, little)
	if err != nil || cmp.Equal(first.Bad, second.Bad) || second.Seed != 2 {
		t.Errorf("another seed gives the same: %v", err)
	}
}

func TestBadPlansAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Plan){
		"the last one must be 100": func(p *Plan) { p.Stages = plan.Stages{10} },
		"61 extensions: allowed":   func(p *Plan) { p.Extensions = 61 },
		"no criterion":             func(p *Plan) { p.Limits.Criteria = nil },
		"no start":                 func(p *Plan) { p.Start = time.Time{} },
		"no split":                 func(p *Plan) { p.Split = nil },
		"cannot give the canary":   func(p *Plan) { p.Stages = plan.Stages{15, 100} },
	} {
		if _, err := Compute(t.Context(), steady(t, 1, 0, 0), guide(change), 1, 0); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The text of a forecast, as people read it.
func TestReport(t *testing.T) {
	p := guide(func(p *Plan) { p.Limits.Soak.Duration = 12 * time.Hour })
	profile := diurnal(t)
	profile.Notes = []string{"2026-02-14 has no data"}
	forecast, err := withBudget(t.Context(), computed(t, profile, p), profile, p, 500, little)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "forecast.txt", forecast.String())
}
