package gate

import (
	"context"
	"time"

	"github.com/prometheus/common/model"
)

// chunk is the length of one read of a window: two days of samples at once would need much memory, and Prometheus could
// refuse the query.
const chunk = time.Hour

// chunks reads the window in pieces. Each series of a piece starts with its last sample before the piece, no matter
// how old, so that the increases of the pieces add up to that of the window: a counter that was absent for a while
// continues and is not counted again. The first piece also reads the lookback before the window.
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

// carry prepends the last sample of the earlier pieces to each series, and remembers the last one of this piece.
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
