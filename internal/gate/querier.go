package gate

import (
	"context"
	"time"

	"github.com/prometheus/common/model"
)

// Querier reads series from Prometheus. The Client of internal/prometheus implements it.
type Querier interface {
	// Samples gives the raw samples of the selector's series after start and up to end.
	Samples(ctx context.Context, selector string, start, end time.Time) (model.Matrix, error)
	// LabelValues gives the values of a label between start and end on the series that match the selector.
	LabelValues(ctx context.Context, label, selector string, start, end time.Time) ([]string, error)
}
