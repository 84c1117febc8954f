// Command rollout lets an operator watch and steer a rollout. `rollout guard` runs the guard by hand; the guard's
// image in the cluster holds cmd/guard.
//
// It exits with 0 when it did its work or found everything in order, with 1 when it failed or found a problem, with 2
// for wrong usage, and with 3 when the evidence is not enough to tell.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/vextrus/finance-rollout/internal/cli"
	"github.com/vextrus/finance-rollout/internal/quietterm"
)

func main() {
	quietterm.Restore()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends a command that still carries something through.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx)
	stop()
	os.Exit(code)
}
