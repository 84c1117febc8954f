package prometheus

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPrometheusRange(t *testing.T) {
	prometheus, asked := answering(t, http.StatusOK,
		`{"status":"success","data":{"resultType":"matrix","result":[
			{"metric":{},"values":[[1772442000,"1"],[1772442060,"NaN"]]}]}}`)
	got, err := prometheus.Range(t.Context(), "vector(1)", t0, t0.Add(time.Hour), time.Minute)
	if err != nil || len(got) != 1 || len(got[0].Values) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if asked.Get("path") != "/prefix/api/v1/query_range" || asked.Get("query") != "vector(1)" ||
		asked.Get("step") != "60" {
		t.Errorf("asked %v", *asked)
	}
	prometheus, _ = answering(t, http.StatusOK,
		`{"status":"success","data":{"resultType":"scalar","result":[1772442000,"1"]}}`)
	if _, err := prometheus.Range(t.Context(), "1", t0, t0.Add(time.Hour), time.Minute); err == nil ||
		!strings.Contains(err.Error(), "instead of series") {
		t.Errorf("%v", err)
	}
	prometheus, _ = answering(t, http.StatusUnprocessableEntity,
		`{"status":"error","errorType":"execution","error":"too many samples"}`)
	if _, err := prometheus.Range(t.Context(), "1", t0, t0.Add(time.Hour), time.Minute); err == nil ||
		!strings.Contains(err.Error(), "too many samples") {
		t.Errorf("%v", err)
	}
}

func TestPrometheusRuleGroups(t *testing.T) {
	prometheus, asked := answering(t, http.StatusOK, `{"status":"success","data":{"groups":[
		{"name":"a.recording","file":"f","interval":1,"rules":[
			{"type":"recording","name":"r","query":"up","health":"ok","evaluationTime":0,
				"lastEvaluation":"2026-03-02T09:00:00Z"}]},
		{"name":"a.alerts","file":"f","interval":1,"rules":[
			{"type":"alerting","name":"X","query":"up","duration":0,"labels":{},"annotations":{},"alerts":[],
				"health":"err","lastError":"many-to-many","state":"inactive","evaluationTime":0,
				"lastEvaluation":"2026-03-02T09:00:00Z"}]}]}}`)
	names, broken, err := prometheus.RuleGroups(t.Context())
	if err != nil || !cmp.Equal(names, []string{"a.recording", "a.alerts"}) ||
		!cmp.Equal(broken, []string{"X of a.alerts: many-to-many"}) {
		t.Errorf("%v, %v, %v", names, broken, err)
	}
	if asked.Get("path") != "/prefix/api/v1/rules" {
		t.Errorf("asked %v", *asked)
	}
	prometheus, _ = answering(t, http.StatusForbidden, `{"kind":"Status","message":"services is forbidden"}`)
	if _, _, err := prometheus.RuleGroups(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "services is forbidden") {
		t.Errorf("%v", err)
	}
}

func TestPrometheusAlertmanagers(t *testing.T) {
	prometheus, _ := answering(t, http.StatusOK,
		`{"status":"success","data":{"activeAlertmanagers":[{"url":"http://am/api/v2/alerts"}],
			"droppedAlertmanagers":[{"url":"http://x"}]}}`)
	got, err := prometheus.Alertmanagers(t.Context())
	if err != nil || !cmp.Equal(got, []string{"http://am/api/v2/alerts"}) {
		t.Errorf("%v, %v", got, err)
	}
	prometheus, _ = answering(t, http.StatusInternalServerError, "broken")
	if _, err := prometheus.Alertmanagers(t.Context()); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("%v", err)
	}
}
