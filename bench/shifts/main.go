// Command shifts measures what a shift of the weight costs on the local cluster: requests that fail on the way
// through the stages, how exactly the canary gets its share, and how long `pulumi up` takes beside kubectl. It drives
// the Pulumi CLI and kubectl as a user does, on stacks of its own, and keeps the results as dated tables in
// docs/benchmarks.md. It imports nothing of the product and needs the local cluster, which `make bench-shifts` sees
// to.
//
// The load goes to 127.0.0.1 only. It fails when something could not be measured, and not when a goal is missed: the
// tables say that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// options are what the flags say.
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
	if path, _, found := strings.Cut(text, "="); !found || path == "" {
		return fmt.Errorf("%q: allowed is path=value", text)
	}
	*s = append(*s, text)
	return nil
}

// Modes of splitting the requests.
const (
	modeReplicas = "replicas"
	modeGateway  = "gateway"
)

func parse() (options, error) {
	var o options
	flag.StringVar(&o.mode, "mode", modeReplicas, "how the requests are split: replicas or gateway")
	flag.StringVar(&o.address, "address", "", "where the load goes in gateway mode, for example "+
		"http://127.0.0.1:30088; in replicas mode it is the node port")
	flag.StringVar(&o.host, "host", "", "the Host header of the load; empty for the address")
	flag.IntVar(&o.runs, "runs", 5, "how often the release goes through all stages")
	flag.IntVar(&o.rounds, "rounds", 5, "how often an update from 10 to 30 % is timed; odd")
	flag.IntVar(&o.perSecond, "rate", 200, "requests a second")
	flag.IntVar(&o.perStage, "requests", 20000, "requests that are counted at each stage over all runs")
	flag.IntVar(&o.nodePort, "node-port", 30780, "the node port of the stack's own Service; that of its staging is the "+
		"next")
	flag.Var(&o.config, "config", "another setting of the stack, as path=value; may be repeated")
	flag.StringVar(&o.output, "output", filepath.Join("docs", "benchmarks.md"), "the file whose sections are replaced")
	flag.BoolVar(&o.onlyUpdates, "only-updates", false, "time the updates alone")
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

func main() {
	o, err := parse()
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		err = run(ctx, o)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
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
