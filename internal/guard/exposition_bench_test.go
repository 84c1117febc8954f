package guard

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// wholeExposition is that of a usual service: some 200 metrics of its runtime, and counters of 40 paths.
func wholeExposition() []byte {
	var text strings.Builder
	for i := range 200 {
		fmt.Fprintf(&text, "# HELP go_metric_%d Something about the runtime.\n# TYPE go_metric_%d gauge\ngo_metric_%d %d\n",
			i, i, i, i)
	}
	text.WriteString("# TYPE http_requests_total counter\n")
	for path := range 40 {
		for _, code := range []int{200, 500} {
			fmt.Fprintf(&text, "http_requests_total{code=\"%d\",path=\"/path/%d\"} %d\n", code, path, 100*path)
		}
	}
	text.WriteString("# TYPE http_request_duration_seconds histogram\n")
	for path := range 40 {
		for _, bound := range []string{"0.1", "0.25", "0.5", "1", "+Inf"} {
			fmt.Fprintf(&text, "http_request_duration_seconds_bucket{path=\"/path/%d\",le=\"%s\"} 100\n", path, bound)
		}
		fmt.Fprintf(&text, "http_request_duration_seconds_sum{path=\"/path/%d\"} 1\n", path)
		fmt.Fprintf(&text, "http_request_duration_seconds_count{path=\"/path/%d\"} 100\n", path)
	}
	return []byte(text.String())
}

// The guard scrapes every pod every second: it reads the few lines that count and remembers how they are classified.
// BenchmarkExposition compares that with Prometheus' parser of whole expositions.
func BenchmarkExposition(b *testing.B) {
	text := wholeExposition()
	b.Run("counters", func(b *testing.B) {
		names := someNames()
		names.Selector = nil
		c := &counters{names: names}
		for b.Loop() {
			if _, err := c.read(bytes.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
	})
	b.Run("general parser", func(b *testing.B) {
		for b.Loop() {
			parser := expfmt.NewTextParser(model.LegacyValidation)
			if _, err := parser.TextToMetricFamilies(bytes.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
	})
}

// The comparison above is fair only if the exposition has everything that the guard counts.
func TestTheBenchmarksExpositionIsCounted(t *testing.T) {
	names := someNames()
	names.Selector = nil
	c := &counters{names: names, fromZero: true}
	rise, err := c.read(bytes.NewReader(wholeExposition()))
	if err != nil || rise.SlowErr != nil || rise.Requests.N == 0 || rise.Slow.N == 0 {
		t.Errorf("%+v, %v", rise, err)
	}
}
