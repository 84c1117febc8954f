package prometheus

import (
	"context"
	"fmt"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Range evaluates a query at every step from start to end. It is for charts; the gates count raw samples.
func (p *Client) Range(ctx context.Context, query string, start, end time.Time, step time.Duration) (model.Matrix,
	error) {
	value, _, _, err := p.api.QueryRange(ctx, query, promv1.Range{Start: start, End: end, Step: step})
	if err != nil {
		return nil, p.failed(err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("prometheus at %s answered %s with a %s instead of series", p.address, query, value.Type())
	}
	return matrix, nil
}
