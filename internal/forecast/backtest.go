package forecast

import (
	"context"
	"math/rand/v2"
	"time"
)

// Generate makes weeks of a small service, for comparing forecasts with what comes: days differ in their level and in
// their errors, and nights are quiet.
func Generate(source *rand.Rand, weeks int) Profile {
	profile := Profile{Source: "generated weeks", Durations: true}
	for range weeks {
		for weekday := range profile.Days {
			level := 0.3 + 0.9*source.Float64()
			var observed Day
			for hour := range observed {
				observed[hour] = Hour{Rate: level, Errors: 0.002 * source.Float64(), Slow: 0.02}
				if hour < 6 || hour >= 22 {
					observed[hour].Rate /= 8
				}
			}
			profile.Days[weekday] = append(profile.Days[weekday], observed)
		}
	}
	return profile
}

// Came simulates the one release that comes in the profile's traffic, and gives the times at which its stages passed;
// fewer than the plan has where it was rolled back or stayed undecided.
func Came(ctx context.Context, profile Profile, p Plan, seed uint64) ([]time.Time, error) {
	result, err := newSimulator(profile, p, seed).run(ctx, seed)
	if err != nil {
		return nil, err
	}
	var passed []time.Time
	for _, stage := range result.passed {
		passed = append(passed, stage.end.Truncate(time.Minute))
	}
	return passed, nil
}
