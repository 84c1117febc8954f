package gate

import (
	"context"
	"iter"
	"time"

	"github.com/prometheus/common/model"
)

// chunk is the length of one read of a window: two days of samples at once would need much memory, and Prometheus could
// refuse the query.
const chunk = time.Hour

// pieces are the times of the reads of a window, in order. The first one also has the lookback before the window.
func pieces(lookback time.Duration, window Window) iter.Seq2[time.Time, time.Time] {
	return func(yield func(from, to time.Time) bool) {
		from := window.Start.Add(-lookback)
		for start := window.Start; start.Before(window.End); {
			end := start.Add(chunk)
			if end.After(window.End) {
				end = window.End
			}
			if !yield(from, end) {
				return
			}
			start, from = end, end
		}
	}
}

// chunks reads the window in pieces, in order of time.
func chunks(ctx context.Context, querier Querier, selector string, lookback time.Duration, window Window,
	visit func(matrix model.Matrix, start time.Time) error) error {
	for from, to := range pieces(lookback, window) {
		matrix, err := querier.Samples(ctx, selector, from, to)
		if err != nil {
			return err
		}
		start := from
		if start.Before(window.Start) {
			start = window.Start
		}
		if err := visit(matrix, start); err != nil {
			return err
		}
	}
	return nil
}
