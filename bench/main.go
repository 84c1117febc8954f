// Command bench compares a preview of the program with a preview of the smallest Pulumi program, and writes the
// result as a dated table to docs/benchmarks.md. It drives the Pulumi CLI as a user does and imports nothing of the
// product. It needs the local cluster, which `make bench` starts, with the demo's production stack from `make demo`.
//
// It fails if it could not measure something. A missed goal is no failure; the table shows it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// fewestRuns is the minimum number of runs for a median.
const fewestRuns = 7

func main() { measure.Main(run) }

func run(ctx context.Context) error {
	runs := flag.Int("runs", 9, "previews of each program; odd, so that the median is a run")
	output := flag.String("output", filepath.Join("docs", "benchmarks.md"), "the file with the section to replace")
	flag.Parse()
	if *runs < fewestRuns || *runs%2 == 0 {
		return fmt.Errorf("-runs is %d: allowed are odd numbers from %d", *runs, fewestRuns)
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	p := pulumi{measure.Shell{Root: root}}
	machine, err := measure.Describe(ctx, p.Shell)
	if err != nil {
		return err
	}
	report, err := measurePreviews(ctx, p, *runs)
	if err != nil {
		return err
	}
	report.Date, report.Machine = time.Now().UTC(), machine
	section := report.markdown()
	fmt.Println(section)
	return document.Update(*output, "preview", section)
}
