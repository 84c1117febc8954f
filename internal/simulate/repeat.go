package simulate

import (
	"context"
	"time"
)

// Repeat runs generated traffic several times, each time with the next seed, and counts the outcomes.
func Repeat(ctx context.Context, generator Generator, runs int, limits Limits, latency time.Duration) (Summary, error) {
	var results []Result
	for range runs {
		traffic, err := generator.Traffic()
		if err != nil {
			return Summary{}, err
		}
		recording, err := traffic.Recording(latency)
		if err != nil {
			return Summary{}, err
		}
		result, err := Run(ctx, recording, limits)
		if err != nil {
			return Summary{}, err
		}
		results = append(results, result)
		generator.Seed++
	}
	return Summarize(results), nil
}
