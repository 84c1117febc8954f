// Command guard measures how long a bad canary stays in traffic beside a running guard and how many failed answers
// reach customers until it is out. It writes the results as dated tables to docs/benchmarks.md. It needs the local
// cluster with a production stack and its guard, such as that of `make demo`.
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
	"github.com/vextrus/finance-rollout/e2e/fixture"
)

// options are the flags.
type options struct {
	kubeconfig, namespace, secret string
	port, rate, runs, kept        int
	scenarios, output, beside     string
}

func main() { measure.Main(run) }

func parse() options {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "the cluster")
	flag.StringVar(&o.namespace, "namespace", "vextrus-production", "namespace of the production stack")
	flag.IntVar(&o.port, "node-port", 30080, "node port of its Service")
	flag.StringVar(&o.secret, "secret", filepath.Join(".local", "secrets", "jwt-secret"),
		"file with the secret that signs the customers' tokens")
	flag.IntVar(&o.rate, "rate", 100, "requests a second")
	flag.IntVar(&o.kept, "kept", 0, "connections that customers keep open; 0 opens one for each request")
	flag.IntVar(&o.runs, "runs", 0, "runs of each scenario; 0 for the default number")
	flag.StringVar(&o.scenarios, "scenarios", "",
		"names of the scenarios, separated by commas; empty for all: "+strings.Join(append(scenarioNames(),
			footprint+" (alone)"), ", "))
	flag.StringVar(&o.beside, "beside", "", "further stacks, as namespace:node-port separated by commas: runs of an "+
		"hour use all of them at the same time")
	flag.StringVar(&o.output, "output", filepath.Join("docs", "benchmarks.md"),
		"the file with the sections to replace; empty for none")
	flag.Parse()
	return o
}

// suffix tells the sections of customers that keep their connections from the others.
func (o options) suffix() string {
	if o.kept == 0 {
		return ""
	}
	return fmt.Sprintf(", %d kept connections", o.kept)
}

// footprint names the measurement that needs no cluster.
const footprint = "footprint"

func run(ctx context.Context) error {
	o := parse()
	if o.scenarios == "" || o.scenarios == footprint {
		if err := runFleets(ctx, o); err != nil || o.scenarios == footprint {
			return err
		}
	}
	chosen, err := choose(o.scenarios)
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(o.secret)
	if err != nil {
		return fmt.Errorf("read the secret that signs tokens: %w: `make demo` creates it", err)
	}
	stack, err := fixture.Open(o.kubeconfig, o.namespace)
	if err != nil {
		return err
	}
	bench := &bench{stack: stack, options: o, secret: secret}
	if bench.beside, err = bench.openBeside(o.beside); err != nil {
		return err
	}
	for _, b := range append(bench.beside, bench) {
		if err := b.ready(ctx); err != nil {
			return fmt.Errorf("%s: %w", b.stack.Namespace, err)
		}
		defer b.tidy(context.WithoutCancel(ctx)) //nolint:gocritic // a handful, and each is needed until the end
	}
	for _, scenario := range chosen {
		result, err := bench.measure(ctx, scenario)
		if err != nil {
			return fmt.Errorf("%s: %w", scenario.name, err)
		}
		section := result.markdown(o)
		fmt.Println(section)
		if o.output == "" {
			continue
		}
		if err := document.Update(o.output, "guard "+scenario.name+o.suffix(), section); err != nil {
			return err
		}
	}
	return nil
}

func runFleets(ctx context.Context, o options) error {
	section, err := measureFleets(ctx, []int{1, 200})
	if err != nil {
		return fmt.Errorf("%s: %w", footprint, err)
	}
	fmt.Println(section)
	if o.output == "" {
		return nil
	}
	return document.Update(o.output, "guard "+footprint, section)
}

// bench is a run of the command.
type bench struct {
	stack   *fixture.Stack
	options options
	secret  []byte
	// beside are the benches of the further stacks.
	beside []*bench
}

// openBeside opens the stacks of -beside.
func (b *bench) openBeside(text string) ([]*bench, error) {
	var benches []*bench
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		namespace, port, _ := strings.Cut(one, ":")
		o := b.options
		var err error
		if o.port, err = strconv.Atoi(port); err != nil || namespace == "" {
			return nil, fmt.Errorf("-beside: %q is not namespace:node-port", one)
		}
		stack, err := fixture.Open(o.kubeconfig, namespace)
		if err != nil {
			return nil, err
		}
		benches = append(benches, &bench{stack: stack, options: o, secret: b.secret})
	}
	return benches, nil
}

// errUnguarded is returned if no guard leads.
var errUnguarded = errors.New("no guard leads in the namespace: set the stack's guard.image, as `make demo` does")

// ready checks that a guard leads and takes the canary out, where every scenario begins.
func (b *bench) ready(ctx context.Context) error {
	leader, err := b.stack.Leader(ctx)
	if err != nil || leader == "" {
		return errors.Join(errUnguarded, err)
	}
	if err := b.limits(ctx); err != nil {
		return err
	}
	return b.stack.Settle(ctx)
}

// tidy restores a healthy canary at its weight.
func (b *bench) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if _, err := b.stack.Enter(ctx, map[string]string{"FAULTS": "", "FAULTS_ENABLED": ""}); err != nil {
		fmt.Fprintln(os.Stderr, "the stack has no canary:", err)
		return
	}
	if err := b.stack.Reached(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "the ledger does not record that the canary is back:", err)
	}
}
