// Command bench measures what the program costs its users beside the least that Pulumi costs them, and keeps the
// result as a dated table in docs/benchmarks.md. It drives the Pulumi CLI as a user does, imports nothing of the
// product, and needs the local cluster with the demo's production stack: `make bench` sees to the first, `make demo`
// to the second.
//
// It fails when something could not be measured, and not when a goal is missed: the table says that.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// fewestRuns is how many runs of each program a median is taken from at least.
const fewestRuns = 7

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	runs := flag.Int("runs", 9, "how often each program is previewed; odd, so that the median is a run")
	output := flag.String("output", filepath.Join("docs", "benchmarks.md"), "the file whose section is replaced")
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
