package gotest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const recorded = `{"Action":"start","Package":"example.com/shop"}
{"Action":"run","Package":"example.com/shop","Test":"TestSale"}
{"Action":"run","Package":"example.com/shop","Test":"TestSale/cash"}
{"Action":"output","Package":"example.com/shop","Test":"TestSale/cash","Output":"    counted\n"}
{"Action":"pass","Package":"example.com/shop","Test":"TestSale/cash","Elapsed":2.5}
{"Action":"run","Package":"example.com/shop","Test":"TestSale/card"}
{"Action":"output","Package":"example.com/shop","Test":"TestSale/card","Output":"    card refused\n"}
{"Action":"fail","Package":"example.com/shop","Test":"TestSale/card","Elapsed":0.1}
{"Action":"output","Package":"example.com/shop","Test":"TestSale","Output":"--- FAIL: TestSale (2.60s)\n"}
{"Action":"fail","Package":"example.com/shop","Test":"TestSale","Elapsed":2.6}
{"Action":"run","Package":"example.com/shop","Test":"TestShort"}
{"Action":"pass","Package":"example.com/shop","Test":"TestShort","Elapsed":0.02}
{"Action":"output","Package":"example.com/shop","Output":"FAIL\texample.com/shop\t2.7s\n"}
{"Action":"fail","Package":"example.com/shop","Elapsed":2.7}
{"Action":"output","Package":"example.com/till","Output":"ok  \texample.com/till\t0.1s\n"}
{"Action":"pass","Package":"example.com/till","Elapsed":0.1}
`

func TestReadShowsLongTestsAndFailures(t *testing.T) {
	var out strings.Builder
	run, err := Read(strings.NewReader(recorded), &out)
	if err != nil {
		t.Fatal(err)
	}
	want := "pass     2.5s  shop TestSale/cash\n    card refused\n--- FAIL: TestSale (2.60s)\n" +
		"FAIL\texample.com/shop\t2.7s\n" +
		"ok  \texample.com/till\t0.1s\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	if !run.Failed {
		t.Error("a run with a failed test passes")
	}
	slowest := []Test{
		{Package: "example.com/shop", Name: "TestSale/cash", Took: 2500 * time.Millisecond},
		{Package: "example.com/shop", Name: "TestSale/card", Took: 100 * time.Millisecond, Failed: true},
	}
	if diff := cmp.Diff(slowest, run.Slowest(2)); diff != "" {
		t.Errorf("slowest (-want +got):\n%s", diff)
	}
}

func TestReadFailsWithABuild(t *testing.T) {
	var out strings.Builder
	run, err := Read(strings.NewReader(`{"ImportPath":"example.com/shop","Action":"build-output","Output":"no such thing\n"}
{"ImportPath":"example.com/shop","Action":"build-fail"}
`), &out)
	if err != nil || !run.Failed || out.String() != "no such thing\n" {
		t.Errorf("%+v, %v, printed %q", run, err, out.String())
	}
}

func TestReadShowsWhatATimeoutEnded(t *testing.T) {
	var out strings.Builder
	_, err := Read(strings.NewReader(`{"Action":"run","Package":"example.com/shop","Test":"TestSale"}
{"Action":"output","Package":"example.com/shop","Test":"TestSale","Output":"panic: test timed out\n"}
{"Action":"output","Package":"example.com/shop","Output":"FAIL\texample.com/shop\t2.7s\n"}
{"Action":"fail","Package":"example.com/shop","Elapsed":2.7}
`), &out)
	if want := "panic: test timed out\nFAIL\texample.com/shop\t2.7s\n"; err != nil || out.String() != want {
		t.Errorf("printed %q, want %q: %v", out.String(), want, err)
	}
}

func TestReadPassesOnWhatIsNoEvent(t *testing.T) {
	var out strings.Builder
	if run, err := Read(strings.NewReader("go: downloading\n"), &out); err != nil || run.Failed ||
		out.String() != "go: downloading\n" {
		t.Errorf("%+v, %v, printed %q", run, err, out.String())
	}
}
