package report

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/golden"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const (
	imageA = "sha256:aaaaaaaaaaaa"
	imageB = "sha256:bbbbbbbbbbbb"
	stable = "sha256:000000000000"
)

// memory keeps a ledger in memory.
type memory struct {
	data    map[string]string
	version int
}

func (m *memory) Load(context.Context) (map[string]string, string, error) {
	return m.data, fmt.Sprint(m.version), nil
}

func (m *memory) Save(_ context.Context, data map[string]string, _ string) error {
	m.data, m.version = data, m.version+1
	return nil
}

// told makes a ledger of entries at given times after monday.
func ledgerOf(t testing.TB, entries ...ledger.Entry) *ledger.Ledger {
	t.Helper()
	store := &memory{}
	for _, entry := range entries {
		at := entry.Time
		if _, err := ledger.Write(context.Background(), store, func() time.Time { return at }, entry); err != nil {
			t.Fatal(err)
		}
	}
	history, err := ledger.Read(context.Background(), store)
	if err != nil {
		t.Fatal(err)
	}
	return history
}

func after(d time.Duration) time.Time { return monday.Add(d) }

func numbers(k, n int64, verdict string) []ledger.Number {
	return []ledger.Number{{Name: "error rate", Verdict: verdict, N: n, K: k, Lower: 0, Upper: 0.0041},
		{Name: "restarts", Verdict: "pass"}}
}

// story is a release that is rolled back once, let in again, and stands at 30 %.
func story() []ledger.Entry {
	hostile := `<script>alert("x")</script> & [link](https://evil.example) | *bold* javascript:alert(1)`
	until := after(30 * 24 * time.Hour)
	return []ledger.Entry{
		{Time: after(-time.Hour), Kind: ledger.Attested, Who: "anna", Name: "security-audit",
			Link: "https://wiki.example/audit/7", Until: &until},
		{Time: after(0), Kind: ledger.StagingVerified, Who: "anna", Image: imageA, Stack: "staging"},
		{Time: after(0), Kind: ledger.ShiftBegun, Who: "anna", Release: "week1", Image: imageA, Stable: stable, From: 0,
			To: 10},
		{Time: after(6 * time.Minute), Kind: ledger.ShiftReached, Who: "anna", Release: "week1", Image: imageA,
			Stable: stable, From: 0, To: 10},
		{Time: after(21 * time.Minute), Kind: ledger.Checkpoint, Who: "guard/a", Release: "week1", Image: imageA, From: 10,
			To: 10, Verdict: "inconclusive", Soaked: 900, Numbers: numbers(1, 900, "inconclusive")},
		{Time: after(36 * time.Minute), Kind: ledger.RollbackBegun, Who: "guard/a", Release: "week1", Image: imageA, From: 10,
			Reason: hostile},
		{Time: after(36*time.Minute + 2*time.Second), Kind: ledger.RolledBack, Who: "guard/a", Release: "week1",
			Image: imageA, Verdict: "complete", Reason: "33 % failed; evidence in finance-service-evidence-20260302"},
		{Time: after(5 * time.Hour), Kind: ledger.LatchReleased, Who: "ben", Image: imageA, Ref: 6,
			Reason: "the database was at fault"},
		{Time: after(5 * time.Hour), Kind: ledger.ShiftBegun, Who: "ben", Release: "week1", Image: imageA, Stable: stable,
			From: 0, To: 10},
		{Time: after(5*time.Hour + 6*time.Minute), Kind: ledger.ShiftReached, Who: "ben", Release: "week1", Image: imageA,
			Stable: stable, From: 0, To: 10},
		{Time: after(6 * time.Hour), Kind: ledger.Checkpoint, Who: "guard/a", Release: "week1", Image: imageA, From: 10,
			To: 10, Verdict: "pass", Soaked: 3240, Numbers: numbers(2, 5000, "pass")},
		{Time: after(7 * time.Hour), Kind: ledger.Checkpoint, Who: "guard/a", Release: "week1", Image: imageA, From: 10,
			To: 10, Verdict: "pass", Soaked: 6840, Numbers: numbers(4, 9000, "pass")},
		{Time: after(53 * time.Hour), Kind: ledger.Extended, Who: "ben", Image: imageA, To: 10, Verdict: "inconclusive",
			Reason: "by 1d: restarts: 1 restart", Soaked: 172800, Numbers: numbers(40, 90000, "inconclusive")},
		{Time: after(77 * time.Hour), Kind: ledger.Rehearsed, Who: "ben", Stack: "staging", Took: 1312, Verdict: "pass"},
		{Time: after(78 * time.Hour), Kind: ledger.Verdict, Who: "ben", Image: imageA, To: 10, Verdict: "pass",
			Soaked: 259200, Numbers: numbers(50, 130000, "pass")},
		{Time: after(78 * time.Hour), Kind: ledger.Overridden, Who: "ben", Image: imageA, To: 30,
			Reason: "the regulator's deadline"},
		{Time: after(78 * time.Hour), Kind: ledger.ShiftBegun, Who: "ben", Release: "week1", Image: imageA, Stable: stable,
			From: 10, To: 30},
		{Time: after(78*time.Hour + 6*time.Minute), Kind: ledger.ShiftReached, Who: "ben", Release: "week1", Image: imageA,
			Stable: stable, From: 10, To: 30},
	}
}

func input(t testing.TB, entries []ledger.Entry, release string, now time.Time) Input {
	t.Helper()
	history := ledgerOf(t, entries...)
	return Input{
		App: "finance-service", Environment: "production", Namespace: "vextrus-production", Stack: "production",
		Release: release,
		Entries: history.Entries(), State: history.State(), Stages: plan.DefaultStages(),
		Soak: plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}, Now: now,
		DashboardURL: "https://grafana.example/d/finance-week1", RunbookURL: "javascript:alert(1)",
	}
}

// charted adds a section with gaps and a lone point.
func charted(in Input) Input {
	section := Section{Title: "The whole release", Start: after(0), End: after(80 * time.Hour), Step: 20 * time.Minute,
		Window: 20 * time.Minute}
	q := Question{Criteria: []gate.Criterion{gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95)}}
	section.Panels = q.panels()
	for i := range 240 {
		at := after(time.Duration(i) * 20 * time.Minute)
		wave := math.Sin(float64(i) / 12)
		section.Panels[0].Stable = append(section.Panels[0].Stable, Point{at, 90 + 20*wave})
		section.Panels[1].Stable = append(section.Panels[1].Stable, Point{at, 0.001})
		section.Panels[2].Stable = append(section.Panels[2].Stable, Point{at, 0.2 + 0.02*wave})
		if i >= 2 && i < 14 || i == 20 {
			continue
		}
		section.Panels[0].Canary = append(section.Panels[0].Canary, Point{at, 10 + 2*wave})
		section.Panels[1].Canary = append(section.Panels[1].Canary,
			Point{at, map[bool]float64{true: 0.33, false: 0.0004}[i == 1]})
		section.Panels[2].Canary = append(section.Panels[2].Canary, Point{at, 0.21 + 0.02*wave})
	}
	in.Sections = []Section{section.Marked(in.Entries, in.Release)}
	return in
}

func build(t testing.TB, in Input) *Report {
	t.Helper()
	r, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGolden(t *testing.T) {
	r := build(t, charted(input(t, story(), "week1", after(80*time.Hour))))
	golden.Compare(t, "report.md", r.Markdown())
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "report.html", page)
}

func TestWhatTheReportSays(t *testing.T) {
	in := input(t, story(), "week1", after(80*time.Hour))
	r := build(t, in)
	if r.Outcome != "at 30 % since 2026-03-05 15:06:00 UTC" || r.Tone != Plain || !r.Start.Equal(after(0)) {
		t.Errorf("%q, %s, from %v", r.Outcome, r.Tone, r.Start)
	}
	if len(r.Stages) != 3 || r.Stages[0].Ended != "rolled back" || r.Stages[1].Ended != "advanced to 30 %" ||
		r.Stages[1].Extensions != 1 ||
		r.Stages[1].Checkpoints != 2 || r.Stages[1].Soaked != 72*time.Hour || r.Stages[2].Weight != 30 ||
		!r.Stages[2].Until.IsZero() {
		t.Errorf("stages %+v", r.Stages)
	}
	if len(r.Rollbacks) != 1 || !r.Rollbacks[0].Complete || !strings.Contains(r.Rollbacks[0].Released,
		"ben: the database was at fault") ||
		r.Rollbacks[0].done() != "complete after 2s" {
		t.Errorf("rollbacks %+v", r.Rollbacks)
	}
	var verdicts []string
	for _, decision := range r.Decisions {
		verdicts = append(verdicts, decision.Verdict)
	}
	if want := []string{"inconclusive", "pass", "inconclusive", "pass"}; !cmp.Equal(verdicts, want) {
		t.Errorf("decisions %v, want %v", verdicts, want)
	}
	// The attestation of before the release is not part of its story, the rehearsal in its time is.
	text := r.Markdown()
	if strings.Contains(text, "security-audit") || !strings.Contains(text,
		"rollback rehearsed in staging in 1.312s: pass") {
		t.Errorf("what belongs to the story:\n%s", text)
	}
}

func TestOutcomes(t *testing.T) {
	all := story()
	more := func(entries ...ledger.Entry) []ledger.Entry { return append(story(), entries...) }
	next := ledger.Entry{Time: after(90 * time.Hour), Kind: ledger.ShiftBegun, Release: "week2", Image: imageB,
		Stable: imageA, To: 10}
	finish := ledger.Entry{Time: after(85 * time.Hour), Kind: ledger.Finished, Who: "ben", Release: "week1", Image: imageA,
		Stable: imageA, From: 100}
	for name, tt := range map[string]struct {
		entries []ledger.Entry
		release string
		outcome string
		tone    Tone
		todo    string
	}{
		"on its way": {all[:3], "week1", "on its way from 0 % to 10 %", Warn, "begin at the first stage"},
		"soaking":    {all[:4], "week1", "at 10 % since", Plain, "rollout advance --to 30"},
		"rolled back": {all[:7], "week1", "rolled back 2026-03-02 09:36:00 UTC: <script>", Bad,
			"rollout unlatch --reason WHY"},
		"not complete": {all[:6], "week1", "no recorded outcome", Bad, "finish it"},
		"at 30":        {all, "week1", "at 30 %", Plain, "rollout advance --to 60"},
		"at 100": {more(ledger.Entry{Time: after(80 * time.Hour), Kind: ledger.ShiftReached, Release: "week1",
			Image: imageA, From: 60, To: 100}), "week1", "at 100 %", Plain, "rollout finish"},
		"taken back": {more(ledger.Entry{Time: after(80 * time.Hour), Kind: ledger.ShiftReached, Release: "week1",
			Image: imageA, From: 30, To: 0}), "week1", "lowered to 0 %", Warn, "begin at the first stage"},
		"finished": {more(finish), "week1", "finished 2026", Good, "name the next release"},
		"another on trial": {more(finish, next, ledger.Entry{Time: after(91 * time.Hour), Kind: ledger.ShiftReached,
			Release: "week2", Image: imageB, To: 10}), "week1", "finished", Good, "rollout report --release week2"},
	} {
		t.Run(name, func(t *testing.T) {
			r := build(t, input(t, tt.entries, tt.release, after(100*time.Hour)))
			if !strings.HasPrefix(r.Outcome, tt.outcome) && !strings.Contains(r.Outcome, tt.outcome) || r.Tone != tt.tone {
				t.Errorf("%q, %s; want %q, %s", r.Outcome, r.Tone, tt.outcome, tt.tone)
			}
			todo := fmt.Sprint(r.Checklist)
			if !strings.Contains(todo, tt.todo) {
				t.Errorf("checklist %s; want %q", todo, tt.todo)
			}
		})
	}
}

func TestAReleaseThatIsNotThere(t *testing.T) {
	_, err := Build(input(t, story(), "week9", after(time.Hour)))
	if unknown, ok := errors.AsType[*UnknownReleaseError](err); !ok ||
		unknown.Error() != `the ledger has no release "week9": it has week1` {
		t.Errorf("%v", err)
	}
	_, err = Build(input(t, nil, "week1", after(time.Hour)))
	if err == nil || err.Error() != "the ledger has no release yet" {
		t.Errorf("%v", err)
	}
}

// A release that is over ends half an hour after its end; one that runs ends now.
func TestSpan(t *testing.T) {
	entries := ledgerOf(t, story()[:7]...).Entries()
	start, end, err := Span(entries, "week1", after(100*time.Hour))
	if err != nil || !start.Equal(after(0)) || !end.Equal(after(36*time.Minute+2*time.Second+30*time.Minute)) {
		t.Errorf("%v to %v, %v", start, end, err)
	}
	if _, end, _ := Span(entries, "week1", after(40*time.Minute)); !end.Equal(after(40 * time.Minute)) {
		t.Errorf("right after it: until %v", end)
	}
	entries = ledgerOf(t, story()...).Entries()
	if _, end, _ := Span(entries, "week1", after(100*time.Hour)); !end.Equal(after(100 * time.Hour)) {
		t.Errorf("running: until %v", end)
	}
}

// ranger answers range queries with two points and a gap, and remembers the queries.
type ranger struct {
	mu      sync.Mutex
	queries []string
	err     error
}

func (r *ranger) Range(_ context.Context, query string, start, _ time.Time, step time.Duration) (model.Matrix, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queries = append(r.queries, query)
	at := model.TimeFromUnixNano(start.UnixNano())
	return model.Matrix{{Values: []model.SamplePair{{Timestamp: at, Value: 1},
		{Timestamp: at.Add(step), Value: model.SampleValue(math.NaN())}, {Timestamp: at.Add(2 * step), Value: 3}}}}, r.err
}

func TestPanels(t *testing.T) {
	metrics := gate.DefaultMetrics().With(map[string]string{"namespace": "n", "app": `a"b`})
	metrics.ScrapeInterval = 15 * time.Second
	q := Question{
		Metrics: metrics, Release: "week1", Start: after(0), End: after(48 * time.Hour), Title: "soak",
		Criteria: []gate.Criterion{gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.99)},
	}
	server := &ranger{}
	section, err := Panels(t.Context(), server, q)
	if err != nil {
		t.Fatal(err)
	}
	if section.Step != 12*time.Minute || section.Window != 12*time.Minute || len(section.Panels) != 3 ||
		len(server.queries) != 6 {
		t.Errorf("step %v, window %v, %d panels, %d queries", section.Step, section.Window, len(section.Panels),
			len(server.queries))
	}
	if points := section.Panels[0].Canary; len(points) != 2 || points[1].Value != 3 {
		t.Errorf("a gap is no point: %v", points)
	}
	all := strings.Join(server.queries, "\n")
	for _, want := range []string{
		`sum(rate(http_requests_total{app="a\"b",namespace="n",track="canary",version="week1"}[12m]))`,
		`http_requests_total{app="a\"b",namespace="n",track="stable",code=~"5.."}[12m]`,
		`histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{app="a\"b",namespace="n",track="stable"}[12m])))`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("nobody asked %s:\n%s", want, all)
		}
	}
	if limits := section.Panels[1].Limits; len(limits) != 2 || limits[0].Label != "target 0.5 %" ||
		limits[1].Label != "rollback 1 %" {
		t.Errorf("limits %+v", limits)
	}
	server.err = errors.New("offline")
	if _, err := Panels(t.Context(), server, q); err == nil {
		t.Error("an error of Prometheus is none")
	}
	q.End = q.Start
	if _, err := Panels(t.Context(), &ranger{}, q); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty time: %v", err)
	}
}

// Whatever a ledger holds, a report is made of every release in it.
func TestEveryLedgerHasItsReport(t *testing.T) {
	kinds := []ledger.Kind{ledger.ShiftBegun, ledger.ShiftReached, ledger.Checkpoint, ledger.Checkpoints, ledger.Verdict,
		ledger.Extended, ledger.RollbackBegun,
		ledger.RolledBack, ledger.LatchReleased, ledger.Overridden, ledger.StagingVerified, ledger.Finished, ledger.Attested,
		ledger.Rehearsed, "of-tomorrow"}
	rapid.Check(t, func(rt *rapid.T) {
		var entries []ledger.Entry
		for i := range rapid.IntRange(1, 25).Draw(rt, "entries") {
			entries = append(entries, ledger.Entry{
				Time: after(time.Duration(i) * time.Minute), Kind: rapid.SampledFrom(kinds).Draw(rt, "kind"),
				Release: rapid.SampledFrom([]string{"", "week1", "week2"}).Draw(rt, "release"),
				Image:   rapid.SampledFrom([]string{"", imageA, imageB}).Draw(rt, "image"),
				From:    rapid.SampledFrom([]int{0, 10, 30, 100}).Draw(rt, "from"),
				To:      rapid.SampledFrom([]int{0, 10, 30, 100}).Draw(rt, "to"),
				Ref:     rapid.IntRange(0, 5).Draw(rt, "ref"), Verdict: rapid.SampledFrom([]string{"", "pass", "fail",
					"complete"}).Draw(rt, "verdict"),
				Reason: rapid.String().Draw(rt, "reason"), Who: rapid.SampledFrom([]string{"", "anna"}).Draw(rt, "who"),
			})
		}
		in := input(t, entries, "", after(time.Hour))
		for _, release := range Releases(in.Entries) {
			in.Release = release
			r := build(t, in)
			if r.Outcome == "" || len(r.Checklist) == 0 || len(r.Timeline) == 0 || r.End.Before(r.Start) {
				rt.Fatalf("%+v", r)
			}
			page, err := r.HTML()
			if err != nil || !strings.HasSuffix(strings.TrimSpace(page), "</html>") || r.Markdown() == "" {
				rt.Fatalf("%v\n%s", err, page)
			}
		}
	})
}
