// Command rollbacks measures how long the canary stays in traffic after an operator starts a rollback, with each option
// of `rollout rollback` and with the guide's kubectl command for it in turn, and how long `rollout status` takes. It
// drives the commands as a user does, on its own stacks on the local cluster, and writes the result as a dated table to
// docs/benchmarks.md.
//
// It fails if it could not measure something. A missed goal is no failure; the table shows it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// options are the flags.
type options struct {
	runs, looks, nodePort int
	output                string
}

func main() { measure.Main(run) }

func parse() (options, error) {
	var o options
	flag.IntVar(&o.runs, "runs", 5, "rollbacks with each option, by rollout and by kubectl; odd")
	flag.IntVar(&o.looks, "looks", 9, "timed runs of `rollout status`; odd")
	flag.IntVar(&o.nodePort, "node-port", 30740, "the node port of the production Service; that of staging is the "+
		"next")
	flag.StringVar(&o.output, "output", filepath.Join("docs", "benchmarks.md"),
		"the file with the section to replace; empty for none")
	flag.Parse()
	if o.runs < 1 || o.runs%2 == 0 || o.looks < 1 || o.looks%2 == 0 {
		return o, fmt.Errorf("-runs is %d and -looks %d: allowed are odd numbers, so that the median is a run", o.runs,
			o.looks)
	}
	return o, nil
}

func run(ctx context.Context) error {
	o, err := parse()
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	machine, err := measure.Describe(ctx, measure.Shell{Root: root})
	if err != nil {
		return err
	}
	s, err := deploy(ctx, root, o.nodePort)
	if err != nil {
		return errors.Join(err, s.Destroy(ctx))
	}
	measured, err := s.measure(ctx, o)
	if err := errors.Join(err, s.Destroy(ctx)); err != nil {
		return err
	}
	measured.date, measured.machine = time.Now().UTC(), machine
	fmt.Println(measured.markdown())
	if o.output == "" {
		return nil
	}
	return document.Update(o.output, "rollbacks", measured.markdown())
}

// measure rolls back with every option, in turn with kubectl.
func (s *stack) measure(ctx context.Context, o options) (report, error) {
	var measured report
	for range o.looks {
		took, err := measure.Time(func() error { return s.rollout(ctx, "status", "-s", "production") })
		if err != nil {
			return measured, err
		}
		measured.status = append(measured.status, took)
	}
	for _, option := range s.options() {
		row := row{option: option.name, kubectl: option.by}
		for i := range o.runs {
			fmt.Fprintf(os.Stderr, "%s %d of %d\n", option.name, i+1, o.runs)
			ours, theirs, err := option.once(ctx)
			if err != nil {
				return measured, fmt.Errorf("%s: %w", option.name, err)
			}
			row.ours, row.theirs = append(row.ours, ours), append(row.theirs, theirs)
		}
		measured.rows = append(measured.rows, row)
	}
	return measured, nil
}
