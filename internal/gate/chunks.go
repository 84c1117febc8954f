package gate

import (
	"context"
	"time"

	"github.com/prometheus/common/model"
)

// chunk is the length of one read of a window: two days of samples at once would need much memory, and Prometheus could
// refuse the query.
const chunk = time.Hour

// chunks reads the window in pieces, in order of time. The first piece also reads the lookback before the window.
func chunks(ctx context.Context, querier Querier, selector string, lookback time.Duration, window Window,
	visit func(matrix model.Matrix, start time.Time) error) error {
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
		if err := visit(matrix, start); err != nil {
			return err
		}
		start, from = end, end
	}
	return nil
}
