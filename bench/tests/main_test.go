package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/build/gotest"
)

func TestTheSectionNamesTheSlowestTests(t *testing.T) {
	tests, err := gotest.Read(strings.NewReader(
		`{"Time":"2026-03-02T10:00:00Z","Action":"start","Package":"example.com/shop"}
{"Time":"2026-03-02T10:00:00Z","Action":"run","Package":"example.com/shop","Test":"TestSale"}
{"Time":"2026-03-02T10:00:00Z","Action":"run","Package":"example.com/shop","Test":"TestReturn"}
{"Time":"2026-03-02T10:01:00Z","Action":"pass","Package":"example.com/shop","Test":"TestSale","Elapsed":60}
{"Time":"2026-03-02T10:01:30Z","Action":"pass","Package":"example.com/shop","Test":"TestReturn","Elapsed":90}
{"Time":"2026-03-02T10:01:31Z","Action":"pass","Package":"example.com/shop","Elapsed":91}
`), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	section := markdown(tests, time.Date(2026, 3, 2, 10, 2, 0, 0, time.UTC))
	if !strings.Contains(section, "2 tests in 1 min 31 s, which took 2 min 30 s one after another") {
		t.Errorf("the section does not say how long the run took:\n%s", section)
	}
	_, rows, _ := strings.Cut(section, "|---|---|\n")
	if diff := cmp.Diff("| `shop TestReturn` | 90 |\n| `shop TestSale` | 60 |\n", rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
