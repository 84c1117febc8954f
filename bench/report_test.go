package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

func seconds(values ...float64) []time.Duration {
	var durations []time.Duration
	for _, value := range values {
		durations = append(durations, time.Duration(value*float64(time.Second)))
	}
	return durations
}

func sample() report {
	return report{
		Date:       time.Date(2025, 11, 23, 6, 0, 0, 0, time.UTC),
		Machine:    measure.Machine{Cores: 2, MemoryGiB: 24, Go: "1.26", Pulumi: "3.259.0", Load: 0.2},
		Production: seconds(6, 5, 9), Empty: seconds(4, 3, 8),
		ProductionBuild: seconds(3, 2, 4), EmptyBuild: seconds(1, 2, 1.5),
	}
}

func TestMarkdown(t *testing.T) {
	want := strings.Join([]string{
		"## Preview of an unchanged stack",
		"",
		"2025-11-23, 2 cores, 24 GiB, Go 1.26, Pulumi 3.259.0, local cluster.",
		"",
		"| | runs | median | fastest | slowest |",
		"|---|---|---|---|---|",
		"| `pulumi preview -s production` | 3 | 6.00 s | 5.00 s | 9.00 s |",
		"| `pulumi preview` of one ConfigMap | 3 | 4.00 s | 3.00 s | 8.00 s |",
		"| `go build` of the first program | 3 | 3.00 s | 2.00 s | 4.00 s |",
		"| `go build` of the second program | 3 | 1.50 s | 1.00 s | 2.00 s |",
		"",
		"Ratio of the previews' medians: **1.50**. The goal of at most 1.5 is met.",
		"",
	}, "\n")
	if diff := cmp.Diff(want, sample().markdown()); diff != "" {
		t.Error(diff)
	}
}

func TestMarkdownSaysWhatCountsAgainstIt(t *testing.T) {
	slow := sample()
	slow.Production = seconds(6, 6.1, 7)
	slow.Machine.Load = 1.3
	for _, want := range []string{"is missed", "not quiet: its load average was 1.3"} {
		if text := slow.markdown(); !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
