package gate

import (
	"context"
	"time"

	"github.com/prometheus/common/model"
)

// chunk is how much of a window is read at a time, so that two days of samples need neither much memory nor a query
// that Prometheus refuses.
const chunk = time.Hour

// chunks reads the window piece by piece. Each series of a piece begins with its last sample before it, however long
// ago that was, so that the increases of the pieces add up to that of the whole: a counter that was not seen for a
// while goes on, and is not counted anew. Before the window itself the lookback is searched.
func chunks(ctx context.Context, querier Querier, selector string, lookback time.Duration, window Window,
	visit func(matrix model.Matrix, start time.Time) error) error {
	carried := map[model.Fingerprint]model.SamplePair{}
	from := window.Start.Add(-lookback)
	for start := window.Start; start.Before(window.End); {
		end := start.Add(chunk)
		if end.After(window.End) {
			end = window.End
		}
		matrix, err := querier.Samples(ctx, selector, from, end)
		if err != nil {
			return err
		}
		carry(matrix, carried)
		if err := visit(matrix, start); err != nil {
			return err
		}
		start, from = end, end
	}
	return nil
}

// carry puts each series' last sample of the pieces before at its beginning, and remembers its last one.
func carry(matrix model.Matrix, carried map[model.Fingerprint]model.SamplePair) {
	for _, series := range matrix {
		if len(series.Values) == 0 {
			continue
		}
		key := series.Metric.Fingerprint()
		last := series.Values[len(series.Values)-1]
		if before, ok := carried[key]; ok {
			series.Values = append([]model.SamplePair{before}, series.Values...)
		}
		carried[key] = last
	}
}
