// Command prcomment writes the comment on a pull request: it reads the previews of the stacks, each as STACK=FILE
// with the output of `pulumi preview --json`, and prints Markdown. The workflow .github/workflows/preview.yaml calls
// it and posts what it prints.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/prcomment"
)

func main() {
	if err := command().Execute(); err != nil {
		os.Exit(2)
	}
}

func command() *cobra.Command {
	var commit string
	cmd := &cobra.Command{
		Use:   "prcomment STACK=FILE...",
		Short: "Write the comment on a pull request from the previews of the stacks",
		Example: `  PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview -s production --json --policy-pack policies > production.json
  go run ./cmd/prcomment --commit "$GITHUB_SHA" production=production.json > comment.md`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var stacks []prcomment.Stack
			for _, arg := range args {
				name, file, ok := strings.Cut(arg, "=")
				if !ok || name == "" || file == "" {
					return fmt.Errorf("%q is no preview: name it as STACK=FILE, for example production=production.json", arg)
				}
				stacks = append(stacks, read(name, file))
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), prcomment.Comment(commit, stacks))
			return err
		},
	}
	cmd.Flags().StringVar(&commit, "commit", "", "the commit that was previewed")
	return cmd
}

// read reads the preview of one stack. One that cannot be read is told in the comment: the others are worth showing.
func read(name, file string) prcomment.Stack {
	opened, err := os.Open(file)
	if err != nil {
		return prcomment.Stack{Name: name, Problem: err.Error()}
	}
	defer opened.Close()
	preview, err := prcomment.Read(opened)
	if err != nil {
		return prcomment.Stack{Name: name, Problem: err.Error()}
	}
	return prcomment.Stack{Name: name, Preview: preview}
}
