package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/e2e/fixture"
)

var began = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return began.Add(time.Duration(seconds * float64(time.Second)))
}

// A canary is quarantined after a second, comes back after eleven and leaves for good after twelve.
func TestSummarize(t *testing.T) {
	moments := []moment{{after(0.1), 1, 10}, {after(1), 0, 9}, {after(2), 0, 10}, {after(11), 1, 10}, {after(12), 0, 9},
		{after(30), 0, 10}}
	failures := []fixture.Failure{{At: after(0.5), Pod: "canary-a"}, {At: after(1.5), Pod: "canary-a"},
		{At: after(11.5), Pod: "canary-a"}, {At: after(15), Pod: ""}}
	got, err := summarize(began, moments, failures)
	want := outcome{out: time.Second, forGood: 12 * time.Second, failed: 4, unanswered: 1, late: 2, last: 3 * time.Second,
		least: 9}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := summarize(began, moments[:1], nil); err == nil {
		t.Error("a canary that never left has an outcome")
	}
}

func TestCases(t *testing.T) {
	got, err := readCases("10,100/50")
	if want := []setting{{10, 0}, {100, 50}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, text := range []string{"", "20", "10/", "10/x", "ten", "10/-1"} {
		if got, err := readCases(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestReport(t *testing.T) {
	r := report{date: began, rate: 100, rows: []row{
		{setting: setting{60, 0}, name: "the guard", outcomes: []outcome{{out: time.Second, failed: 25, least: 8}}},
		{setting: setting{60, 0}, name: "Argo Rollouts", outcomes: []outcome{{out: 31 * time.Second, failed: 100, least: 8}}},
	}}
	for _, want := range []string{"| 60 %, a connection a request | the guard | 1.0 s |", "| Argo Rollouts | 31.0 s |",
		"at most a quarter of Argo Rollouts' failed requests | 25 beside 100 | met |",
		"never fewer than 8 of 10 | 8 | met |"} {
		if text := r.markdown(); !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	r.rows[0].outcomes[0].failed, r.rows[0].outcomes[0].least = 26, 7
	if text := r.markdown(); strings.Count(text, "| missed |") != 2 {
		t.Errorf("missed goals are not told:\n%s", text)
	}
}
