// Command shifts measures the cost of a shift on the local cluster: requests that fail on the way through the stages,
// the accuracy of the canary's share, and the duration of `pulumi up` beside kubectl. It drives the Pulumi CLI and
// kubectl as a user does, on its own stacks, and writes the results as dated tables to docs/benchmarks.md. It imports
// nothing of the product and needs the local cluster, which `make bench-shifts` starts.
//
// The load goes to 127.0.0.1 only. The command fails if it could not measure something. A missed goal is no failure;
// the tables show it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// options are the flags.
type options struct {
	mode        string
	address     string
	host        string
	runs        int
	rounds      int
	perSecond   int
	perStage    int
	nodePort    int
	config      settings
	output      string
	onlyUpdates bool
}

// settings are additional settings of the stack, as path=value.
type settings []string

// String implements flag.Value.
func (s *settings) String() string { return strings.Join(*s, " ") }

// Set implements flag.Value.
func (s *settings) Set(text string) error {
	if path, _, ok := strings.Cut(text, "="); !ok || path == "" {
		return fmt.Errorf("%q: allowed is path=value", text)
	}
	*s = append(*s, text)
	return nil
}

// Traffic modes.
const (
	modeReplicas = "replicas"
	modeGateway  = "gateway"
)

func parse() (options, error) {
	var o options
	flag.StringVar(&o.mode, "mode", modeReplicas, "traffic mode: replicas or gateway")
	flag.StringVar(&o.address, "address", "", "address of the load in gateway mode, for example "+
		"http://127.0.0.1:30088; in replicas mode it is the node port")
	flag.StringVar(&o.host, "host", "", "the Host header of the load; empty for the address")
	flag.IntVar(&o.runs, "runs", 5, "runs through all stages")
	flag.IntVar(&o.rounds, "rounds", 5, "timed updates from 10 to 30 %; odd")
	flag.IntVar(&o.perSecond, "rate", 200, "requests a second")
	flag.IntVar(&o.perStage, "requests", 20000, "requests to count at each stage over all runs")
	flag.IntVar(&o.nodePort, "node-port", 30780, "the node port of the production Service; that of staging is the "+
		"next")
	flag.Var(&o.config, "config", "another setting of the stack, as path=value; may be repeated")
	flag.StringVar(&o.output, "output", filepath.Join("docs", "benchmarks.md"), "the file with the sections to replace")
	flag.BoolVar(&o.onlyUpdates, "only-updates", false, "only time the updates")
	flag.Parse()
	err := o.validate()
	return o, err
}

func (o *options) validate() error {
	switch {
	case o.mode != modeReplicas && o.mode != modeGateway:
		return fmt.Errorf("-mode is %q: allowed are %s and %s", o.mode, modeReplicas, modeGateway)
	case o.runs < 1 || o.perSecond < 1 || o.perStage < 1:
		return errors.New("-runs, -rate and -requests must be 1 or more")
	case o.rounds < 1 || o.rounds%2 == 0:
		return fmt.Errorf("-rounds is %d: allowed are odd numbers, so that the median is a round", o.rounds)
	case o.mode == modeGateway && o.address == "":
		return errors.New("-mode gateway needs -address, the gateway on 127.0.0.1")
	case o.mode == modeReplicas && o.address == "":
		o.address = fmt.Sprintf("http://127.0.0.1:%d", o.nodePort)
	}
	parsed, err := url.Parse(o.address)
	if err != nil || parsed.Hostname() != "127.0.0.1" {
		return fmt.Errorf("-address is %q: load goes to 127.0.0.1 only", o.address)
	}
	return nil
}

func main() { measure.Main(run) }

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
	s, err := deploy(ctx, root, o)
	if err != nil {
		return errors.Join(err, s.Destroy(ctx))
	}
	return errors.Join(measureAll(ctx, s, o, machine), s.Destroy(ctx))
}

func measureAll(ctx context.Context, s *stack, o options, machine measure.Machine) error {
	updates, err := timeUpdates(ctx, s, o)
	if err != nil {
		return err
	}
	updates.Date, updates.Machine = time.Now().UTC(), machine
	if err := keep(o.output, "updates-"+o.mode, updates.markdown()); err != nil || o.onlyUpdates {
		return err
	}
	stages, err := throughStages(ctx, s, o)
	if err != nil {
		return err
	}
	stages.Date, stages.Machine = time.Now().UTC(), machine
	return keep(o.output, "shifts-"+o.mode, stages.markdown())
}

func keep(path, name, section string) error {
	fmt.Println(section)
	return document.Update(path, name, section)
}
