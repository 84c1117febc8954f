package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Client asks a Prometheus server. It is safe for concurrent use.
type Client struct {
	api     promv1.API
	address string
}

// New makes a Client of an API client. The caller chooses the transport and with it the way to the server: directly, or
// through the API server's service proxy.
func New(client api.Client) *Client {
	return &Client{api: promv1.NewAPI(client), address: client.URL("", nil).Redacted()}
}

// Samples gives the raw samples of the selector's series after start and up to end. It runs an instant query of a range
// selector, which returns samples as scraped. Staleness markers are not samples.
func (p *Client) Samples(ctx context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	query := promql.Range(selector, end.Sub(start))
	value, _, _, err := p.api.Query(ctx, query, end)
	if err != nil {
		return nil, p.failed(err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("prometheus at %s answered %s with a %s instead of raw samples", p.address, query,
			value.Type())
	}
	return matrix, nil
}

// Ask gives the result of an instant query.
func (p *Client) Ask(ctx context.Context, query string, at time.Time) (model.Value, error) {
	value, _, _, err := p.api.Query(ctx, query, at)
	if err != nil {
		return nil, p.failed(err)
	}
	return value, nil
}

// LabelValues gives the values that a label had between start and end on the series that match the selector.
func (p *Client) LabelValues(ctx context.Context, label, selector string, start, end time.Time) ([]string, error) {
	values, _, _, err := p.api.LabelValues(ctx, label, []string{selector}, start, end)
	if err != nil {
		return nil, p.failed(err)
	}
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return names, nil
}

// failed adds the server's address and its answer, or the reason why there is none.
func (p *Client) failed(err error) error {
	if answer, ok := errors.AsType[*promv1.Error](err); ok {
		// A proxy on the way, such as the API server's, has error messages of its own.
		hint := ""
		if strings.HasSuffix(answer.Msg, strconv.Itoa(http.StatusUnauthorized)) {
			hint = ": it wants another login than that of config prometheusAuth"
		}
		if detail := detail(answer.Detail); detail != "" {
			return fmt.Errorf("prometheus at %s did not answer the query: %s: %s%s", p.address, answer.Type, detail, hint)
		}
		return fmt.Errorf("prometheus at %s did not answer the query: %w%s", p.address, err, hint)
	}
	// The URL of the request repeats the address and the query, which are reported already.
	return fmt.Errorf("prometheus at %s cannot be reached: %w", p.address, endpoint.WithoutURL(err))
}

// detail is the message of a JSON answer, or the beginning of any other one.
func detail(body string) string {
	var answer struct{ Message string }
	if err := json.Unmarshal([]byte(body), &answer); err == nil && answer.Message != "" {
		return answer.Message
	}
	return fmt.Sprintf("%.200s", strings.TrimSpace(body))
}
