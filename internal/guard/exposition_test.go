package guard

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/gate"
)

func someNames() *Names {
	return &Names{
		Requests: "http_requests_total", Status: "code", Error: regexp.MustCompile("^(?:5..)$"),
		Bucket: "http_request_duration_seconds_bucket", Limit: 0.5, Selector: map[string]string{"path": "/graphql"},
	}
}

// exposed is an exposition of the example service: good and bad requests, all and fast ones, and the kubelet's
// probes, which do not count.
func exposed(good, bad, all, fast int) string {
	return fmt.Sprintf(`# HELP http_requests_total HTTP requests answered.
# TYPE http_requests_total counter
http_requests_total{code="200",method="post",path="/graphql"} %d
http_requests_total{code="500",method="post",path="/graphql"} %d
http_requests_total{code="503",method="get",path="/health/ready"} 77
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{code="200",path="/graphql",le="0.25"} 0
http_request_duration_seconds_bucket{code="200",path="/graphql",le="0.50"} %d
http_request_duration_seconds_bucket{code="200",path="/graphql",le="+Inf"} %d
http_request_duration_seconds_sum{code="200",path="/graphql"} 1.5
go_goroutines 12
`, good, bad, fast, all)
}

func read(t *testing.T, c *counters, text string) Rise {
	t.Helper()
	rise, err := c.read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return rise
}

func TestReadGivesRises(t *testing.T) {
	type look struct {
		text string
		want Rise
	}
	counts := func(n, k, slowN, slowK int64) Rise {
		return Rise{Requests: gate.Counts{N: n, K: k}, Slow: gate.Counts{N: slowN, K: slowK}}
	}
	reset := func(r Rise) Rise { r.Reset = true; return r }
	held := Rise{Held: true}
	tests := []struct {
		name     string
		fromZero bool
		looks    []look
	}{
		{"a pod that was there before", false, []look{{exposed(100, 10, 110, 100), Rise{}},
			{exposed(103, 12, 115, 104), counts(5, 2, 5, 1)}}},
		{"a pod that began under watch", true, []look{{exposed(6, 3, 9, 9), counts(9, 3, 9, 0)},
			{exposed(6, 3, 9, 9), Rise{}}}},
		{"a process that began again", true, []look{{started(1) + exposed(6, 3, 9, 9), counts(9, 3, 9, 0)},
			{started(99) + exposed(2, 1, 3, 3), reset(counts(3, 1, 3, 0))}}},
		{"a restart that every counter hides", true, []look{{started(1) + exposed(6, 3, 9, 9), counts(9, 3, 9, 0)},
			{started(99) + exposed(8, 4, 12, 9), reset(counts(12, 4, 12, 3))}}},
		{"a guessed restart waits for its confirmation", true, []look{{exposed(60, 3, 63, 63), counts(63, 3, 63, 0)},
			{exposed(20, 1, 21, 21), reset(held)}, {exposed(21, 1, 22, 22), held}, {exposed(22, 1, 23, 23), held},
			{exposed(23, 1, 24, 24), held}, {exposed(24, 2, 26, 25), counts(26, 2, 26, 1)},
			{exposed(25, 2, 27, 26), counts(1, 0, 1, 0)}}},
		{"counters that fall without a restart count nothing", true, []look{
			{started(1) + exposed(60, 3, 63, 63), counts(63, 3, 63, 0)},
			{started(1) + exposed(20, 9, 29, 29), Rise{}}, {started(1) + exposed(21, 9, 30, 30), counts(1, 0, 1, 0)}}},
		{"a counter that the exporter forgets", true, []look{
			{exposed(100000, 4000, 104000, 104000) + forgotten(3), counts(104003, 4000, 104000, 0)},
			{exposed(100010, 4000, 104010, 104010), counts(10, 0, 10, 0)},
			{exposed(100010, 4000, 104010, 104010) + forgotten(4), counts(1, 0, 0, 0)},
			{exposed(100011, 4000, 104011, 104011), counts(1, 0, 1, 0)},
			{exposed(100012, 4000, 104012, 104012) + forgotten(2), counts(1, 0, 1, 0)},
			{exposed(100012, 4000, 104012, 104012) + forgotten(3), counts(1, 0, 0, 0)},
		}},
		{"an error that appears later", false, []look{
			{"http_requests_total{code=\"200\",path=\"/graphql\"} 5\n", Rise{}},
			{"http_requests_total{code=\"200\",path=\"/graphql\"} 5\nhttp_requests_total{code=\"500\",path=\"/graphql\"} 2\n",
				counts(2, 2, 0, 0)},
		}},
		{"labels with every character", true, []look{
			{`http_requests_total{code="500",path="/graphql",q="a}b\"c\\"} 4 1700000000000` + "\n", counts(4, 4, 0, 0)},
			{`http_requests_total{code="500",path="/graphql",q="a}b\"c\\"} 6 1700000001000` + "\n", counts(2, 2, 0, 0)},
		}},
		{"nothing", true, []look{{"", Rise{}}, {"\n\n# nothing\n", Rise{}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &counters{names: someNames(), fromZero: tt.fromZero}
			for i, look := range tt.looks {
				if diff := cmp.Diff(look.want, read(t, c, look.text), cmpopts.IgnoreFields(Rise{}, "SlowErr")); diff != "" {
					t.Errorf("look %d: %s", i, diff)
				}
			}
		})
	}
}

// started is the line with the start time of the process, in seconds.
func started(seconds int) string { return fmt.Sprintf("process_start_time_seconds %d\n", seconds) }

// forgotten is a series that an exporter forgets while it is idle.
func forgotten(count int) string {
	return fmt.Sprintf("http_requests_total{code=\"404\",method=\"get\",path=\"/graphql\"} %d\n", count)
}

// Several worker processes answer behind one port, and nobody sends a request.
func TestWorkersBehindOnePort(t *testing.T) {
	for name, started := range map[string]func(int) string{
		"without start times": func(int) string { return "" },
		"with start times":    func(worker int) string { return started(100 + 60*worker) },
	} {
		for order, turns := range map[string][]int{
			"in turn": {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, "at random": {0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0},
		} {
			c := &counters{names: someNames()}
			pages := []string{started(0) + exposed(80, 20, 100, 100), started(1) + exposed(900, 0, 900, 900)}
			odd := ""
			for i, turn := range turns {
				c.at = born.Add(time.Duration(i) * time.Second)
				rise := read(t, c, pages[turn])
				if rise.Requests.N > 0 || rise.Slow.N > 0 {
					t.Errorf("%s, %s, look %d: %+v", name, order, i, rise)
				}
				odd = rise.Odd
			}
			if !strings.Contains(odd, "several worker processes") {
				t.Errorf("%s, %s: reported %q", name, order, odd)
			}
		}
	}
}

// One series without the label of the status is left out and named; it blinds nobody.
func TestOneSeriesWithoutItsStatus(t *testing.T) {
	c := &counters{names: someNames()}
	read(t, c, exposed(1000, 0, 1000, 1000))
	unlabelled := "http_requests_total{method=\"get\",path=\"/graphql\"} 1\n"
	for _, page := range []string{exposed(1100, 900, 2000, 2000), exposed(1200, 1800, 3000, 3000)} {
		rise := read(t, c, page+unlabelled)
		if rise.Requests != (gate.Counts{N: 1000, K: 900}) || !strings.Contains(rise.Odd, `no label "code"`) {
			t.Errorf("%+v", rise)
		}
	}
	many := strings.ReplaceAll(unlabelled, " 1\n", " 500\n")
	if _, err := c.read(strings.NewReader(exposed(1300, 1800, 3100, 3100) + many)); err == nil {
		t.Error("a seventh of all requests is left out")
	}
}

// Labels that Prometheus adds at the scrape select nothing on a pod's own page; another missing label is named.
func TestSelectorLabelsOfPrometheus(t *testing.T) {
	for _, label := range []string{"job", "container", "cluster", "pod", "namespace", "prometheus_replica", "region"} {
		names := someNames()
		names.Selector = map[string]string{"path": "/graphql", label: "finance-service"}
		c := &counters{names: names}
		read(t, c, exposed(1000, 0, 1000, 1000))
		rise := read(t, c, exposed(1100, 900, 2000, 2000))
		if label != "region" && (rise.Requests != gate.Counts{N: 1000, K: 900} || rise.Odd != "") {
			t.Errorf("%s: %+v", label, rise)
		}
		if label == "region" && (rise.Requests.N != 0 || !strings.Contains(rise.Odd, `label "region"`)) {
			t.Errorf("%s: %+v", label, rise)
		}
	}
}

func TestProbesAreNotCounted(t *testing.T) {
	metrics := gate.DefaultMetrics()
	metrics.Exclude = map[string]string{"path": "/health.*"}
	for _, selector := range []map[string]string{nil, {"path": "/graphql"}} {
		names, err := NewNames(metrics, selector, 500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		rise := read(t, &counters{names: names, fromZero: true}, exposed(6, 3, 9, 9))
		if rise.Requests != (gate.Counts{N: 9, K: 3}) || rise.Odd != "" {
			t.Errorf("selector %v: %+v", selector, rise)
		}
	}
}

// Above the higher of two bounds around the limit, a request is slow.
func TestALimitBetweenTwoBounds(t *testing.T) {
	names := someNames()
	names.Limit = 0.3
	rise := read(t, &counters{names: names, fromZero: true}, exposed(90, 0, 90, 80))
	if rise.Slow != (gate.Counts{N: 90, K: 10}) || rise.SlowErr != nil {
		t.Errorf("%+v", rise)
	}
}

func TestReadWithoutTheLatencysBucket(t *testing.T) {
	c := &counters{names: someNames(), fromZero: true}
	rise := read(t, c, strings.ReplaceAll(exposed(6, 3, 9, 9), `le="0.50"`, `le="0.40"`))
	if rise.Requests.N != 9 || rise.SlowErr == nil || rise.Slow.N != 0 {
		t.Errorf("%+v", rise)
	}
}

func TestReadRefuses(t *testing.T) {
	line := func(value string) string { return `http_requests_total{code="200",path="/graphql"} ` + value + "\n" }
	var many strings.Builder
	for i := range mostSeries + 1 {
		fmt.Fprintf(&many, "http_requests_total{code=\"200\",path=\"/graphql\",user=\"%d\"} 1\n", i)
	}
	tests := []struct {
		name, text string
		want       string
	}{
		{"not a number", line("NaN"), "not a count"},
		{"negative", line("-1"), "not a count"},
		{"infinite", line("+Inf"), "not a count"},
		{"a fraction", line("1.5"), "not a count"},
		{"huge", line("1e300"), "not a count"},
		{"no value", "http_requests_total{code=\"200\",path=\"/graphql\"}\n", "not a count"},
		{"words", line("many"), "not a count"},
		{"too great a rise", line("9e12"), "is plausible"},
		{"twice", line("1") + line("1"), "twice"},
		{"no status", "http_requests_total{path=\"/graphql\"} 1\n", `no label "code"`},
		{"open labels", `http_requests_total{code="200",path="/graphql` + "\n", "http_requests_total"},
		{"a bound of words", `http_request_duration_seconds_bucket{path="/graphql",le="much"} 1` + "\n", "not a number"},
		{"a long line", `http_requests_total{code="` + strings.Repeat("x", mostLine) + "\"} 1\n", "longer than 64 KiB"},
		{"many series", many.String(), "more than 20000 series"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &counters{names: someNames(), fromZero: true}
			if tt.name != "too great a rise" {
				read(t, c, exposed(6, 3, 9, 9))
			}
			if _, err := c.read(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if len(c.series) > 10 {
				t.Errorf("%d series are kept of what was refused", len(c.series))
			}
			if tt.name == "too great a rise" {
				return
			}
			if rise := read(t, c, exposed(7, 4, 11, 11)); rise.Requests != (gate.Counts{N: 2, K: 1}) {
				t.Errorf("after it %+v is counted", rise)
			}
		})
	}
}

// endless is an exposition that never ends.
type endless struct {
	line string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = e.line[e.at%len(e.line)]
		e.at++
	}
	return len(p), nil
}

func TestReadEndsWithAnEndlessExposition(t *testing.T) {
	for _, line := range []string{"other_total{a=\"b\"} 1\n", "# a comment\n", "\n"} {
		c := &counters{names: someNames()}
		if _, err := c.read(&endless{line: line}); !errors.Is(err, errTooMuch) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// growing is an exposition whose series are all new ones.
type growing struct {
	format        string
	left, written int
	rest          []byte
}

func (g *growing) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if g.left == 0 {
			return 0, io.EOF
		}
		g.left, g.written = g.left-1, g.written+1
		g.rest = fmt.Appendf(nil, g.format, g.written)
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// A million series are refused by their number or by their length, with what to do about it, and nothing of them is
// kept: neither of those that count, nor of those that the selector or another bound of the histogram leaves out.
func TestAMillionSeriesTakeNoMemory(t *testing.T) {
	for name, format := range map[string]string{
		"requests":       "http_requests_total{code=\"200\",path=\"/graphql\",user=\"%d\"} 1\n",
		"not selected":   "http_requests_total{code=\"200\",path=\"/%d\"} 1\n",
		"other bounds":   "http_request_duration_seconds_bucket{path=\"/graphql\",le=\"%d\"} 1\n",
		"other metrics":  "http_requests_by_user_total{user=\"someone with a long name of no interest: %d\"} 1\n",
		"negative ones":  "http_requests_total{code=\"200\",path=\"/%d\"} -1\n",
		"without values": "http_requests_total{code=\"200\",path=\"/%d\"} NaN\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := &counters{names: someNames(), fromZero: true}
			read(t, c, exposed(6, 3, 9, 9))
			known := len(c.series)
			source := &growing{format: format, left: 1_000_000}
			_, err := c.read(source)
			if !errors.Is(err, errTooMuch) || !strings.Contains(err.Error(), "more than 20000 series") &&
				!strings.Contains(err.Error(), "8 MiB") {
				t.Fatalf("after %d series: %v", source.written, err)
			}
			if len(c.series) != known || source.left == 0 {
				t.Errorf("%d series are kept, %d of the million were not read", len(c.series)-known, source.left)
			}
			if rise := read(t, c, exposed(7, 4, 11, 11)); rise.Requests != (gate.Counts{N: 2, K: 1}) {
				t.Errorf("after it %+v is counted", rise)
			}
		})
	}
}

// The sum of all rises is the count of the process, for any looks, whatever its restarts hide.
func TestRisesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &counters{names: someNames(), fromZero: true}
		var want, got gate.Counts
		good, bad, began := 0, 0, 0
		for look := range rapid.IntRange(1, 20).Draw(t, "looks") {
			if rapid.IntRange(0, 5).Draw(t, "restart") == 0 && good+bad > 0 {
				good, bad = 0, 0
				began = look
			}
			moreGood, moreBad := rapid.IntRange(0, 50).Draw(t, "good"), rapid.IntRange(0, 50).Draw(t, "bad")
			good, bad = good+moreGood, bad+moreBad
			want = want.Plus(gate.Counts{N: int64(moreGood + moreBad), K: int64(moreBad)})
			c.at = time.Unix(int64(60*look+90), 0)
			rise, err := c.read(strings.NewReader(started(60*began+80) + exposed(good, bad, good+bad, good)))
			if err != nil {
				t.Fatal(err)
			}
			got = got.Plus(rise.Requests)
		}
		if got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
	})
}

func TestNewNames(t *testing.T) {
	metrics := gate.DefaultMetrics()
	names, err := NewNames(metrics, nil, 500*time.Millisecond)
	if err != nil || names.Limit != 0.5 || !names.Error.MatchString("503") || names.Error.MatchString("1503") {
		t.Errorf("%+v, %v", names, err)
	}
	metrics.ErrorPattern = "("
	if _, err := NewNames(metrics, nil, time.Second); err == nil {
		t.Error("a pattern that is none is accepted")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(exposed(6, 3, 9, 9), exposed(7, 3, 10, 9))
	f.Add("http_requests_total 1", "http_requests_total{} 2")
	f.Add(`http_requests_total{code="\`, `http_request_duration_seconds_bucket{le="+Inf"} 1e3`)
	f.Fuzz(func(t *testing.T, first, second string) {
		c := &counters{names: someNames(), fromZero: true}
		for _, text := range []string{first, second} {
			rise, err := c.read(strings.NewReader(text))
			if err != nil {
				continue
			}
			for _, counts := range []gate.Counts{rise.Requests, rise.Slow} {
				if counts.N < 0 || counts.K < 0 || counts.K > counts.N {
					t.Fatalf("%+v of %q", rise, text)
				}
			}
		}
	})
}
