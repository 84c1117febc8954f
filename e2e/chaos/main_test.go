//go:build chaos

package chaos

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/cli"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/program"
	"github.com/vextrus/finance-rollout/internal/testkit/provider"
)

var (
	sequences = flag.Int("sequences", 8, "number of random sequences")
	seed      = flag.Int64("seed", 1, "seed of the first sequence; each next one has the next number")
)

// Names by which the test's binary is called in place of what it holds: the program, the provider and the command.
const (
	programName  = "finance-rollout"
	providerName = "pulumi-resource-kubernetes"
	commandName  = "rollout"
)

// clockVariable is the environment variable that says how far the program's clock is ahead.
const clockVariable = "CHAOS_CLOCK_AHEAD"

// clock is one that is ahead of another.
type clock struct {
	gate.Clock
	ahead time.Duration
}

// Now implements gate.Clock.
func (c clock) Now() time.Time { return c.Clock.Now().Add(c.ahead) }

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case programName:
		pulumi.Run(func(ctx *pulumi.Context) error {
			deps := program.RealDeps()
			if ahead, err := time.ParseDuration(os.Getenv(clockVariable)); err == nil {
				deps.Clock = clock{Clock: deps.Clock, ahead: ahead}
			}
			return program.Run(ctx, deps)
		})
	case providerName:
		if err := provider.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	case commandName:
		os.Exit(cli.Run(context.Background()))
	default:
		os.Exit(m.Run())
	}
}
