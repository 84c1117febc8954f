package gate

import (
	"context"
	"time"

	"github.com/prometheus/common/model"
)

// Querier reads what Prometheus holds. [Prometheus] is the one that asks a server.
type Querier interface {
	// Samples gives the raw samples of the selector's series after start and up to end.
	Samples(ctx context.Context, selector string, start, end time.Time) (model.Matrix, error)
	// LabelValues gives the values that a label had between start and end on the series that match the selector.
	LabelValues(ctx context.Context, label, selector string, start, end time.Time) ([]string, error)
}
