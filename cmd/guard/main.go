// Command guard is what the guard's image holds: `rollout guard`, under the same name and with the same flags,
// without the rest of the operator's command.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/guarded"
	"github.com/vextrus/finance-rollout/internal/guard/command"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 1 for every failure, because a kubelet restarts the guard the same way after each of them.
func run(ctx context.Context, args []string, problems io.Writer) int {
	root := &cobra.Command{Use: "rollout", SilenceUsage: true, SilenceErrors: true, Short: "The guard of a rollout",
		Version: version.Get().String()}
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(command.New(func(err error) error { return err }, guarded.New))
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(problems, "error:", sanitize.Text(err.Error()))
		return 1
	}
	return 0
}
