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
	tests := []struct {
		name     string
		fromZero bool
		looks    []look
	}{
		{"a pod that was there before", false, []look{{exposed(100, 10, 110, 100), Rise{}},
			{exposed(103, 12, 115, 104), counts(5, 2, 5, 1)}}},
		{"a pod that began under watch", true, []look{{exposed(6, 3, 9, 9), counts(9, 3, 9, 0)},
			{exposed(6, 3, 9, 9), Rise{}}}},
		{"a process that began again", true, []look{{exposed(6, 3, 9, 9), counts(9, 3, 9, 0)},
			{exposed(2, 1, 3, 3), reset(counts(3, 1, 3, 0))}}},
		{"a restart that one counter hides", true, []look{{exposed(6, 3, 9, 9), counts(9, 3, 9, 0)},
			{exposed(8, 1, 9, 9), reset(counts(9, 1, 9, 0))}}},
		{"a restart that only a vanished counter shows", true, []look{
			{exposed(6, 3, 9, 9), counts(9, 3, 9, 0)},
			{"http_requests_total{code=\"200\",method=\"post\",path=\"/graphql\"} 8\n", reset(counts(8, 0, 0, 0))},
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

func TestReadWithoutTheLatencysBucket(t *testing.T) {
	c := &counters{names: someNames(), fromZero: true}
	rise := read(t, c, strings.ReplaceAll(exposed(6, 3, 9, 9), `le="0.50"`, `le="0.75"`))
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

// The sum of all rises is the count of the process, for any looks, as long as no restart falls between two of
// them.
func TestRisesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &counters{names: someNames(), fromZero: true}
		var want, got gate.Counts
		good, bad := 0, 0
		for range rapid.IntRange(1, 20).Draw(t, "looks") {
			if rapid.IntRange(0, 5).Draw(t, "restart") == 0 && good+bad > 0 {
				good, bad = 0, 0
				// A process that begins again is seen before it has counted as much as before.
				if _, err := c.read(strings.NewReader(exposed(0, 0, 0, 0))); err != nil {
					t.Fatal(err)
				}
			}
			moreGood, moreBad := rapid.IntRange(0, 50).Draw(t, "good"), rapid.IntRange(0, 50).Draw(t, "bad")
			good, bad = good+moreGood, bad+moreBad
			want = want.Plus(gate.Counts{N: int64(moreGood + moreBad), K: int64(moreBad)})
			rise, err := c.read(strings.NewReader(exposed(good, bad, good+bad, good)))
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
