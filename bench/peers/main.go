// Command peers measures how a canary that turns bad leaves: under our guard, and under Argo Rollouts with an analysis
// that asks Prometheus every five seconds. Both run on the same local cluster, with the same service, probes and
// customers, in turn in one run, and the results stand side by side in a dated table of docs/benchmarks.md.
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
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// options are the flags.
type options struct {
	runs, nodePort, rate int
	cases                []setting
	output               string
}

// setting is what both are measured at: the canary's weight in percent, and the connections that customers keep, or 0
// for one of its own for each request.
type setting struct{ weight, kept int }

func (s setting) String() string {
	if s.kept == 0 {
		return fmt.Sprintf("%d %%, a connection a request", s.weight)
	}
	return fmt.Sprintf("%d %%, %d kept connections", s.weight, s.kept)
}

func main() { measure.Main(run) }

func parse() (options, error) {
	var o options
	flag.IntVar(&o.runs, "runs", 2, "runs of each case")
	flag.IntVar(&o.nodePort, "node-port", 30840, "the node port of our production Service; three more follow it")
	flag.IntVar(&o.rate, "rate", 100, "requests a second")
	cases := flag.String("cases", "10,10/50,60,100,100/50", "weights in percent, each with the number of kept "+
		"connections after a slash")
	flag.StringVar(&o.output, "output", filepath.Join("docs", "benchmarks.md"),
		"the file with the section to replace; empty for none")
	flag.Parse()
	if o.runs < 1 || o.rate < 1 {
		return o, fmt.Errorf("-runs is %d and -rate %d: allowed are numbers above 0", o.runs, o.rate)
	}
	var err error
	o.cases, err = readCases(*cases)
	return o, err
}

// readCases reads weights with their kept connections.
func readCases(text string) ([]setting, error) {
	var list []setting
	for part := range strings.SplitSeq(text, ",") {
		weight, kept, hasKept := strings.Cut(part, "/")
		var s setting
		var err, keptErr error
		s.weight, err = strconv.Atoi(weight)
		if hasKept {
			s.kept, keptErr = strconv.Atoi(kept)
		}
		if errors.Join(err, keptErr) != nil || canaryPods(s.weight) == 0 || s.kept < 0 {
			return nil, fmt.Errorf("-cases %s: %q is not a weight of %v with its connections; for example -cases 10,10/50",
				text, part, stages)
		}
		list = append(list, s)
	}
	return list, nil
}

func run(ctx context.Context) (err error) {
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
	secret, err := os.ReadFile(filepath.Join(root, ".local", "secrets", "jwt-secret"))
	if err != nil {
		return fmt.Errorf("read the secret that signs tokens: %w: `make cluster` creates it", err)
	}
	guarded, err := deployGuarded(ctx, root, o.nodePort)
	defer func() { err = errors.Join(err, guarded.Destroy(ctx)) }()
	if err != nil {
		return err
	}
	argo, err := deployArgo(ctx, root, o.nodePort+2)
	defer func() { err = errors.Join(err, argo.end(ctx)) }()
	if err != nil {
		return err
	}
	measured := report{date: time.Now().UTC(), machine: machine, rate: o.rate}
	load := load{perSecond: o.rate, secret: secret}
	if measured.rows, err = compare(ctx, []contender{guarded, argo}, o, load); err != nil {
		return err
	}
	fmt.Println(measured.markdown())
	if o.output == "" {
		return nil
	}
	return document.Update(o.output, "peers", measured.markdown())
}

// compare measures every case with each contender in turn.
func compare(ctx context.Context, contenders []contender, o options, load load) ([]row, error) {
	var rows []row
	for _, s := range o.cases {
		measured := make([]row, len(contenders))
		for range o.runs {
			for i, c := range contenders {
				out, err := try(ctx, c, s, load)
				if err != nil {
					return nil, fmt.Errorf("%s at %v: %w", c.name(), s, err)
				}
				fmt.Fprintf(os.Stderr, "%s at %v: %+v\n", c.name(), s, out)
				measured[i].setting, measured[i].name = s, c.name()
				measured[i].outcomes = append(measured[i].outcomes, out)
			}
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}
