package forecast

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// The forecast of four weeks is compared with releases in a week that it has not seen: nine of ten are done by its 90 %
// date, and about half by its 50 % date.
func TestTheForecastHoldsInTheNextWeek(t *testing.T) {
	const tests = 24
	byHalf, byMost := 0, 0
	for seed := range uint64(tests) {
		source := rand.New(rand.NewPCG(20260302, seed))
		p := guide(func(p *Plan) {
			p.Start = monday.Add(time.Duration(source.IntN(24)) * time.Hour)
			p.Stages, p.Limits.Soak.Duration = plan.Stages{50, 100}, 8*time.Hour
			p.Limits.Soak.Extension = 4 * time.Hour
			p.Limits.Guard, p.Limits.Review = nil, nil
			p.Limits.Bake.Interval = 150 * time.Second // fewer looks at the same evidence
		})
		m := newSimulator(Generate(source, 4), p, seed)
		outcomes, err := m.all(t.Context(), 20)
		if err != nil {
			t.Fatal(err)
		}
		forecast, err := m.sum(outcomes)
		if err != nil || forecast.Half == nil || forecast.Most == nil {
			t.Fatalf("%+v, %v", forecast, err)
		}
		came, err := Came(t.Context(), Generate(source, 1), p, 1000+seed)
		if err != nil || len(came) != 2 {
			t.Fatalf("%+v, %v", came, err)
		}
		done := came[1]
		if !done.After(*forecast.Half) {
			byHalf++
		}
		if !done.After(*forecast.Most) {
			byMost++
		}
	}
	// Binomial(24, 0.9) is below 17 in one of 250 series, Binomial(24, 0.5) outside of 5 to 19 in one of 300.
	if byMost < 17 || byHalf < 5 || byHalf > 19 {
		t.Errorf("of %d releases %d were done by the 50 %% date and %d by the 90 %% date", tests, byHalf, byMost)
	}
	t.Logf("of %d releases %d were done by the 50 %% date and %d by the 90 %% date", tests, byHalf, byMost)
}
