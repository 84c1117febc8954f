package simulate

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// answer is series as Prometheus' HTTP API gives them.
func answer(t interface{ Fatal(...any) }, series model.Matrix) string {
	raw, err := json.Marshal(map[string]any{"status": "success",
		"data": map[string]any{"resultType": "matrix", "result": series}})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

const small = `{"status":"success","data":{"resultType":"matrix","result":[
	{"metric":{"__name__":"http_requests_total","track":"canary","version":"week1","code":"200"},"values":[[1000,"5"],[1015,"15"],[1030,"1"]]},
	{"metric":{"__name__":"http_requests_total","track":"canary","version":"week1","code":"503"},"values":[[1015,"2"],[1030,"1"]]},
	{"metric":{"__name__":"http_requests_total","track":"stable","version":"stable","code":"200"},"values":[[1000,"500"],[1015,"590"],[1030,"600"]]}]}}`

func TestReadExport(t *testing.T) {
	recording, err := ReadExport(gate.DefaultMetrics(), "", strings.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	if recording.Start.Unix() != 1000 || recording.End.Unix() != 1030 || recording.Step != 15*time.Second ||
		recording.Durations || !recording.Beside {
		t.Errorf("%+v", recording)
	}
	canary, stable, err := recording.totals(testLimits())
	// The failing series appeared later and counts from 0, then the process began anew.
	if want := (Counts{N: 14, K: 3}); err != nil || canary != want || stable != (Counts{N: 100}) {
		t.Errorf("canary %+v, want %+v; stable %+v; %v", canary, want, stable, err)
	}
}

func TestReadExportSaysWhatIsWrong(t *testing.T) {
	with := func(old, replacement string) string { return strings.Replace(small, old, replacement, 1) }
	for name, tt := range map[string]struct{ text, release, want string }{
		"no JSON":     {"time,track", "", "not a response of Prometheus"},
		"two answers": {small + small, "", "data after the response"},
		"failed":      {`{"status":"error","error":"too many samples"}`, "", "too many samples"},
		"vector": {`{"status":"success","data":{"resultType":"vector","result":[]}}`, "",
			`is a "vector", not a matrix`},
		"nothing": {`{"status":"success","data":{"resultType":"matrix","result":[]}}`, "",
			`no series of http_requests_total with track="canary"`},
		"another metric": {with("http_requests_total", "up"), "", "export the metrics http_requests_total and"},
		"rates":          {with(`"15"`, `"0.5"`), "", "export the raw counter"},
		"negative":       {with(`"15"`, `"-1"`), "", "export the raw counter"},
		"not a number":   {with(`"15"`, `"NaN"`), "", "export the raw counter"},
		"disorder":       {with(`[1015,"15"]`, `[999,"15"]`), "", "out of order"},
		"one sample": {
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"http_requests_total","track":"canary","code":"200"},"values":[[1000,"5"]]}]}}`, "", "one point in time"},
		"two releases":  {with("week1", "week2"), "", "with the values week1, week2 of label version"},
		"other release": {small, "week9", `track="canary", version="week9"`},
		"twice":         {with("503", "200"), "", "duplicate series"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadExport(gate.DefaultMetrics(), tt.release, strings.NewReader(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
		})
	}
}

func TestAReleaseIsChosen(t *testing.T) {
	recording, err := ReadExport(gate.DefaultMetrics(), "week2",
		strings.NewReader(strings.Replace(small, "week1", "week2", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if canary, _, err := recording.totals(testLimits()); err != nil || canary != (Counts{N: 11}) {
		t.Errorf("%+v, %v", canary, err)
	}
}

// The guard's counts, step by step, add up to the gate's count of the whole, for any behaviour of the counters.
func TestStepsAddUpToWhatTheGateCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		metrics := gate.DefaultMetrics()
		const samples = 60
		restarts := rapid.Bool().Draw(t, "restarts")
		var series model.Matrix
		for pod := range rapid.IntRange(1, 3).Draw(t, "pods") {
			process := model.Metric{"track": "canary", "version": "week1", "pod": model.LabelValue(rune('a' + pod))}
			from := 0
			if pod > 0 {
				from = rapid.IntRange(0, samples/2).Draw(t, "from")
			}
			streams := map[string]*model.SampleStream{}
			for _, name := range []string{"200", "500", "0.5", "+Inf"} {
				metric := process.Clone()
				metric["__name__"], metric["code"] = "http_requests_total", model.LabelValue(name)
				if strings.ContainsAny(name, ".I") {
					metric["__name__"], metric["le"] = "http_request_duration_seconds_bucket", model.LabelValue(name)
					delete(metric, "code")
				}
				streams[name] = &model.SampleStream{Metric: metric}
				series = append(series, streams[name])
			}
			var good, bad, fast int
			for i := from; i < samples; i++ {
				if restarts && rapid.IntRange(0, 19).Draw(t, "restart") == 0 {
					good, bad, fast = 0, 0, 0
				}
				more, failed := rapid.IntRange(0, 9).Draw(t, "good"), rapid.IntRange(0, 3).Draw(t, "bad")
				good, bad, fast = good+more, bad+failed, fast+rapid.IntRange(0, more+failed).Draw(t, "fast")
				at := model.TimeFromUnix(int64(1000 + 15*i))
				for name, value := range map[string]int{"200": good, "500": bad, "0.5": fast, "+Inf": good + bad} {
					streams[name].Values = append(streams[name].Values, model.SamplePair{Timestamp: at,
						Value: model.SampleValue(value)})
				}
			}
		}
		recording, err := ReadExport(metrics, "", strings.NewReader(answer(t, series)))
		if err != nil {
			t.Fatal(err)
		}
		intervals, err := recording.rises(500 * time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		var steps Counts
		for _, interval := range intervals {
			steps = steps.plus(*interval.Canary)
		}
		limits := testLimits()
		asked, _ := recording.tracks()
		whole := gate.Evaluate(t.Context(), recording, gate.Question{
			Metrics: asked, Criteria: limits.Criteria, Window: gate.Window{Start: recording.Start, End: recording.End},
		})
		errorRate, latency := whole.Results[0], whole.Results[1]
		if errorRate.N != steps.N || errorRate.K != steps.K {
			t.Fatalf("steps %+v, at once %s", steps, whole)
		}
		// A counter that rose beyond its old value hides its reset, and the two metrics need not hide the same ones.
		if !restarts && (latency.N != steps.N || latency.K != steps.Slow) {
			t.Fatalf("steps %+v, at once %s", steps, whole)
		}
	})
}

// FuzzExport feeds whatever there is.
func FuzzExport(f *testing.F) {
	f.Add(small)
	f.Add(`{"status":"success","data":{"resultType":"matrix","result":[null]}}`)
	f.Add(strings.ReplaceAll(small, "1015", "1e9"))
	f.Fuzz(func(t *testing.T, text string) {
		recording, err := ReadExport(gate.DefaultMetrics(), "", io.LimitReader(strings.NewReader(text), 1<<20))
		if err != nil || recording.End.Sub(recording.Start) > 100*time.Hour {
			return
		}
		if _, err := Run(t.Context(), recording, testLimits()); err != nil &&
			!strings.Contains(err.Error(), "possible count") {
			t.Fatal(err)
		}
	})
}
