// Package prometheus is a Prometheus server in memory, for tests: it speaks the HTTP API, so that a test runs the
// module's real client, and answers by a text that the query contains.
package prometheus

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/model"
)

// Server is a Prometheus server. It is safe for concurrent use.
type Server struct {
	// URL is its address.
	URL string

	mu            sync.Mutex
	answers       []answer
	labels        []labelValues
	rules         []Rule
	alertmanagers []string
	failure       error
	spared        []string
	asked         []string
}

type answer struct {
	part  string
	value model.Value
}

// labelValues are the values of a label on the series whose selector contains the part.
type labelValues struct {
	part, name string
	values     []string
}

// Rule is an alerting rule of a group; Err is why it could not be evaluated last, empty when it could.
type Rule struct{ Group, Name, Err string }

// New starts a server without any series, until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Answer gives the value to every query that contains the part. Of several parts, the one that was set last wins.
// Queries without an answer find nothing.
func (s *Server) Answer(part string, value model.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append([]answer{{part, value}}, s.answers...)
}

// Labels sets the values of a label on the series whose selector contains the part. Of several parts, the one that was
// set last wins.
func (s *Server) Labels(part, name string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.labels = append([]labelValues{{part, name, values}}, s.labels...)
}

// Load lets the server have rules, and addresses of Alertmanagers.
func (s *Server) Load(rules []Rule, alertmanagers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.alertmanagers = rules, alertmanagers
}

// Fail lets every request end with the error, apart from queries that contain one of the spared parts; nil mends it.
func (s *Server) Fail(err error, spared ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure, s.spared = err, spared
}

// Asked lists the queries, in order.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// ServeHTTP is the HTTP API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := s.data(r)
	spares := func(part string) bool { return strings.Contains(r.FormValue("query"), part) }
	if s.failure != nil && !slices.ContainsFunc(s.spared, spares) {
		err = s.failure
	}
	w.Header().Set("Content-Type", "application/json")
	body := map[string]any{"status": "success", "data": data}
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		body = map[string]any{"status": "error", "errorType": "execution", "error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(body)
}

func (s *Server) data(r *http.Request) (any, error) {
	at := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	switch {
	case at == "query", at == "query_range":
		query := r.FormValue("query")
		s.asked = append(s.asked, query)
		value := s.evaluate(query, at == "query_range")
		return map[string]any{"resultType": value.Type().String(), "result": value}, nil
	case path.Base(at) == "values":
		return append([]string{}, s.valuesOf(path.Base(path.Dir(at)), r.FormValue("match[]"))...), nil
	case at == "rules":
		return map[string]any{"groups": s.groups()}, nil
	case at == "alertmanagers":
		active := []map[string]string{}
		for _, address := range s.alertmanagers {
			active = append(active, map[string]string{"url": address})
		}
		return map[string]any{"activeAlertmanagers": active}, nil
	default:
		return nil, errors.New("nothing at " + r.URL.Path)
	}
}

// evaluate gives the answer to a query, an empty one of the kind that the caller expects when there is none.
func (s *Server) evaluate(query string, overTime bool) model.Value {
	for _, answer := range s.answers {
		if strings.Contains(query, answer.part) {
			return answer.value
		}
	}
	if overTime || strings.HasSuffix(query, "]") {
		return model.Matrix{}
	}
	return model.Vector{}
}

// valuesOf lists the values of a label on the series of a selector.
func (s *Server) valuesOf(name, selector string) []string {
	for _, label := range s.labels {
		if label.name == name && strings.Contains(selector, label.part) {
			return label.values
		}
	}
	return nil
}

func (s *Server) groups() []map[string]any {
	var groups []map[string]any
	for _, rule := range s.rules {
		health := "ok"
		if rule.Err != "" {
			health = "err"
		}
		text := map[string]any{"type": "alerting", "name": rule.Name, "query": "vector(1)", "health": health,
			"lastError": rule.Err, "alerts": []any{}}
		if last := len(groups) - 1; last >= 0 && groups[last]["name"] == rule.Group {
			groups[last]["rules"] = append(groups[last]["rules"].([]map[string]any), text)
			continue
		}
		groups = append(groups, map[string]any{"name": rule.Group, "rules": []map[string]any{text}})
	}
	return groups
}

// Sample is a value with labels, given as names and values in turn.
func Sample(value float64, labels ...string) *model.Sample {
	metric := model.Metric{}
	for i := 0; i+1 < len(labels); i += 2 {
		metric[model.LabelName(labels[i])] = model.LabelValue(labels[i+1])
	}
	return &model.Sample{Metric: metric, Value: model.SampleValue(value)}
}
