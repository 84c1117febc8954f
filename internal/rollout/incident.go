package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/jsonvalue"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// endpointIncidents are the incidents of the stack's endpoint. An answer that cannot be had or read is an error, and so
// is one without the field: no answer is not a pass.
func (r *Rollout) endpointIncidents(ctx context.Context) ([]advance.Incident, error) {
	endpoint := r.Settings.Incidents.Endpoint
	if endpoint.URL == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, incidentWait, fmt.Errorf("no answer within %v", incidentWait))
	defer cancel()
	answer, err := jsonvalue.Fetch(ctx, nil, jsonvalue.Request{URL: endpoint.URL})
	var values []any
	if err == nil {
		values, err = jsonvalue.Values(endpoint.Field, answer)
	}
	host := endpoint.URL
	if parsed, parseErr := url.Parse(endpoint.URL); parseErr == nil {
		host = parsed.Host
	}
	if err != nil {
		return nil, fmt.Errorf("config incidents.endpoint at %s: %w", host, err)
	}
	var open []advance.Incident
	for _, value := range values {
		if text := described(value); !isQuiet(value) && !slices.Contains(endpoint.Closed, text) {
			open = append(open, advance.Incident{Name: fmt.Sprintf("%s: %s is %s", host, endpoint.Field, text)})
		}
	}
	return open, nil
}

// isQuiet reports whether a value of JSON says that there is nothing.
func isQuiet(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case float64:
		return value == 0
	case string:
		return strings.TrimSpace(value) == ""
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	default:
		return false
	}
}

// longestIncident bounds the text of an incident, in bytes.
const longestIncident = 120

// described is a value in a few words: of an object, its name.
func described(value any) string {
	if object, ok := value.(map[string]any); ok {
		for _, key := range []string{"title", "name", "summary", "id"} {
			if name, ok := object[key].(string); ok && name != "" {
				value = name
				break
			}
		}
	}
	text, isText := value.(string)
	if !isText {
		encoded, err := json.Marshal(value)
		if err != nil {
			return "unreadable"
		}
		text = string(encoded)
	}
	text = strings.ToValidUTF8(sanitize.Line(strings.TrimSpace(text)), "")
	if len(text) > longestIncident {
		text = strings.ToValidUTF8(text[:longestIncident], "") + "…"
	}
	return text
}
