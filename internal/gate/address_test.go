package gate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// told is an Asker that answers addresses as well.
type told struct {
	asked Address
	value float64
	err   error
}

func (*told) Ask(context.Context, string, time.Time) (model.Value, error) {
	return nil, errors.New("Prometheus was asked")
}

func (t *told) Tell(_ context.Context, address Address) (float64, error) {
	t.asked = address
	return t.value, t.err
}

// deaf is an Asker that knows Prometheus alone.
type deaf struct{}

func (deaf) Ask(context.Context, string, time.Time) (model.Value, error) { return nil, nil }

func TestAValueFromAnAddress(t *testing.T) {
	window := Window{Start: time.Unix(1000, 0), End: time.Unix(1600, 0)}
	criterion := func(address Address, direction string) QueryCriterion {
		return QueryCriterion{Name: "checkout", Limit: 0.5, Direction: direction, Address: &address}
	}
	metrics := Address{URL: "https://api.example/query?from=$start&to=$end&q=errors{version:$release}", Field: ".v",
		Body: `{"release":"$release","for":"$window"}`, Method: "POST"}
	rollout := Rollout{Namespace: "shop", App: "orders", Release: `v2" & more`, Track: "canary"}
	for name, tt := range map[string]struct {
		asker     Asker
		address   Address
		direction string
		verdict   Verdict
		words     []string
	}{
		"met": {asker: &told{value: 0.25}, address: metrics, direction: Below, verdict: Pass,
			words: []string{"0.25 is below 0.5"}},
		"not met": {asker: &told{value: 0.75}, address: metrics, direction: Below, verdict: Inconclusive,
			words: []string{"0.75 is not below 0.5"}},
		"at it": {asker: &told{value: 0.5}, address: metrics, direction: Above, verdict: Inconclusive,
			words: []string{"not above"}},
		"no answer": {asker: &told{err: errors.New("it answers 403 Forbidden")}, address: metrics, direction: Below,
			verdict: Error,
			words:   []string{"api.example: it answers 403 Forbidden"}},
		"no way": {asker: deaf{}, address: metrics, direction: Below, verdict: Error, words: []string{"only Prometheus is " +
			"asked here"}},
		"an unknown variable": {asker: &told{}, address: Address{URL: "https://api.example/$pod"}, direction: Below,
			verdict: Error,
			words:   []string{"$pod is unknown", "$start"}},
	} {
		t.Run(name, func(t *testing.T) {
			result := criterion(tt.address, tt.direction).Evaluate(t.Context(), tt.asker, rollout, window)
			if result.Verdict != tt.verdict {
				t.Errorf("%s: %s", result.Verdict, result.Reason)
			}
			for _, word := range tt.words {
				if !strings.Contains(result.Reason, word) {
					t.Errorf("no %q in %q", word, result.Reason)
				}
			}
		})
	}
	asker := &told{}
	criterion(metrics, Below).Evaluate(t.Context(), asker, rollout, window)
	if want := "https://api.example/query?from=1000&to=1600&q=errors{version:v2%22+%26+more}"; asker.asked.URL != want {
		t.Errorf("asked %s, want %s", asker.asked.URL, want)
	}
	if want := `{"release":"v2\" \u0026 more","for":"10m"}`; asker.asked.Body != want {
		t.Errorf("sent %s, want %s", asker.asked.Body, want)
	}
}
