// Command rollout lets an operator watch and steer a rollout. `rollout guard` runs the guard by hand; the guard's
// image in the cluster holds cmd/guard.
//
// Exit codes: 0 done or in order, 1 failed or not in order, 2 wrong usage, 3 not enough evidence to decide.
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
	// A second Ctrl-C kills a command that is still finishing its work.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx)
	stop()
	os.Exit(code)
}
