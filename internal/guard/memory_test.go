package guard

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// routesPage is the page of a service that counts 200 routes by status, each with a histogram of 12 bounds.
func routesPage() (page []byte, lines int) {
	var text strings.Builder
	for route := range 200 {
		for _, code := range []int{200, 404, 500} {
			labels := fmt.Sprintf("method=\"POST\",path=\"/finance/ledgers/{ledger}/invoices/%d\",code=\"%d\"", route, code)
			fmt.Fprintf(&text, "http_requests_total{%s} 100\n", labels)
			for _, bound := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10",
				"+Inf"} {
				fmt.Fprintf(&text, "http_request_duration_seconds_bucket{%s,le=\"%s\"} 100\n", labels, bound)
			}
			lines += 13
		}
	}
	return []byte(text.String()), lines
}

// keptOf is what the counters of so many pods take with a page, in bytes of the heap.
func keptOf(t testing.TB, pods int, page []byte) uint64 {
	t.Helper()
	names := someNames()
	names.Selector = nil
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	all := make([]*counters, pods)
	for i := range all {
		all[i] = &counters{names: names}
		for range 2 {
			if _, err := all[i].read(bytes.NewReader(page)); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := heap()
	runtime.KeepAlive(all)
	return after - min(before, after)
}

// What a guard keeps of a page with very many series is smaller than the page, and bounded for all of its pods.
func TestManyRoutesTakeLittleMemory(t *testing.T) {
	const pods = 10
	page, lines := routesPage()
	took := keptOf(t, pods, page)
	perSeries, ratio := float64(took)/float64(pods*lines), float64(took)/float64(pods*len(page))
	t.Logf("%d series of %d bytes a page: %.0f bytes a series are kept, %.2f of the page", lines, len(page), perSeries,
		ratio)
	if perSeries > 110 || ratio > 0.9 {
		t.Errorf("%.0f bytes a series, %.2f of the page", perSeries, ratio)
	}
	if all := perSeries * mostKept / (1 << 20); all > 53 {
		t.Errorf("%d series take %.0f MiB", mostKept, all)
	}
}

// BenchmarkManyRoutes is the time of a look at such a page, and what is kept of it as a share of the page.
func BenchmarkManyRoutes(b *testing.B) {
	page, lines := routesPage()
	names := someNames()
	names.Selector = nil
	c := &counters{names: names}
	for b.Loop() {
		if _, err := c.read(bytes.NewReader(page)); err != nil {
			b.Fatal(err)
		}
	}
	took := float64(keptOf(b, 4, page)) / 4
	b.ReportMetric(took/float64(lines), "B/series")
	b.ReportMetric(took/float64(len(page)), "of-the-page")
	b.ReportAllocs()
}

// The series of all pods have one budget: a page beyond it is refused wholly, and counted once another pod is gone.
func TestSeriesOfAllPodsAreBounded(t *testing.T) {
	page := func(from, to int) string {
		var text strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&text, "http_requests_total{code=\"200\",path=\"/graphql\",user=\"%d\"} 1\n", i)
		}
		return text.String()
	}
	shared := newBudget(15)
	first, second := &counters{names: someNames(), budget: shared}, &counters{names: someNames(), budget: shared}
	if _, err := first.read(strings.NewReader(page(0, 10))); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := second.read(strings.NewReader(page(0, 10)))
		if !errors.Is(err, errTooMuch) || !strings.Contains(err.Error(), "of all of its pods") ||
			!strings.Contains(err.Error(), "metrics.selector") {
			t.Fatal(err)
		}
		if len(second.series) != 0 || shared.left.Load() != 5 {
			t.Fatalf("%d series are kept of what was refused, and %d may be", len(second.series), shared.left.Load())
		}
	}
	// What is known is counted on.
	if rise, err := first.read(strings.NewReader(strings.ReplaceAll(page(0, 10), "} 1", "} 3"))); err != nil ||
		rise.Requests.N != 20 {
		t.Errorf("%+v, %v", rise, err)
	}
	first.release()
	if _, err := second.read(strings.NewReader(page(0, 10))); err != nil || shared.left.Load() != 5 {
		t.Errorf("%v, and %d are left", err, shared.left.Load())
	}
	second.release()
	if shared.left.Load() != 15 {
		t.Errorf("%d of 15 are left", shared.left.Load())
	}
}
