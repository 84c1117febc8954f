// Command build checks and releases the code with pinned tools: it provides the linters, runs tests, looks for known
// vulnerabilities and makes releases. Nothing of the product imports it, and it imports nothing of the product.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/build/progress"
	"github.com/vextrus/finance-rollout/build/toolchain"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// newCommand returns the command with everything below it.
func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "build",
		Short:         "Provide the tools that check the code, run tests, look for vulnerabilities and make releases",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var directory string
	root.PersistentFlags().StringVar(&directory, "root", "",
		"the checkout to work in (default: the one around the current directory)")
	open := func() (checkout, error) { return openCheckout(directory) }
	root.AddCommand(toolsCommand(open), testCommand(open), vulnerabilitiesCommand(open), releaseCommand(open))
	return root
}

// checkout is the folder that the commands work in.
type checkout struct{ root string }

type opener func() (checkout, error)

// openCheckout finds the checkout that a directory is in, by default the current one.
func openCheckout(directory string) (checkout, error) {
	if directory == "" {
		var err error
		if directory, err = os.Getwd(); err != nil {
			return checkout{}, err
		}
	}
	root, err := toolchain.FindRoot(directory)
	return checkout{root: root}, err
}

// local returns a path below .local, which holds build results and is not committed.
func (c checkout) local(parts ...string) string {
	return filepath.Join(append([]string{c.root, ".local"}, parts...)...)
}

func (c checkout) binary(name string) string { return c.local("bin", name) }

// builder provides the tools. The local cluster's are in the same folder.
func (c checkout) builder() *toolchain.Builder {
	return &toolchain.Builder{
		Modules: modules(), Source: filepath.Join(c.root, "build", "tools"), Bin: c.local("bin"), LogDir: c.local("logs"),
		Progress: progress.New(os.Stderr),
	}
}

func toolsCommand(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "tools [NAME...]",
		Short: "Find or build tools that check and release the code in .local/bin; without a name, all of them",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.builder().Provide(cmd.Context(), args...)
		},
	}
}
