// Command prcomment writes the comment on a pull request: it reads the previews of the stacks, each as STACK=FILE
// with the output of `pulumi preview --json`, and prints Markdown. The workflow .github/workflows/judge.yaml calls
// it and posts what it prints.
//
// Exit codes: 0 done, 1 with --judge if an update would be refused or a preview is missing, 2 wrong usage.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/prcomment"
)

func main() {
	switch err := command().Execute(); {
	case errors.Is(err, errRefused):
		os.Exit(1)
	case err != nil:
		os.Exit(2)
	}
}

// errRefused is what --judge returns for previews that do not let a change in.
var errRefused = errors.New("an update would be refused, or a preview is missing")

func command() *cobra.Command {
	var commit, origin, author string
	var judge bool
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
			if origin != "" {
				if err := trace(stacks, origin, commit, author); err != nil {
					return err
				}
			}
			if _, err := fmt.Fprint(cmd.OutOrStdout(), prcomment.Comment(commit, stacks)); err != nil {
				return err
			}
			if judge && slices.ContainsFunc(stacks, prcomment.Stack.IsRefused) {
				return errRefused
			}
			return nil
		},
		SilenceUsage: true,
	}
	cmd.Flags().BoolVar(&judge, "judge", false,
		"exit with 1 if an update of a stack would be refused or a preview is missing")
	cmd.Flags().StringVar(&origin, "origin", "", "folder with GitHub's answers on where the previews come from: "+
		"compare.json, approvals.json and artifacts.json; empty to take the previews for true")
	cmd.Flags().StringVar(&author, "author", "", "who pushed the commit, for --origin")
	cmd.Flags().StringVar(&commit, "commit", "", "the commit that was previewed")
	return cmd
}

// trace notes on each stack why its preview may be forged.
func trace(stacks []prcomment.Stack, folder, commit, author string) error {
	if commit == "" || author == "" {
		return errors.New("--origin needs --commit and --author: without them nothing tells whose preview it is")
	}
	origin, err := prcomment.ReadOrigin(folder, commit, author)
	if err != nil {
		return err
	}
	for i := range stacks {
		stacks[i].Doubts, stacks[i].Digest = origin.Doubts(stacks[i].Name), origin.Digest(stacks[i].Name)
	}
	return nil
}

// read reads the preview of one stack. One that cannot be read is told in the comment: the others are worth showing.
func read(name, file string) prcomment.Stack {
	// The previews come from the job that runs a pull request's program: a link would lead to another file of this
	// machine.
	if info, err := os.Lstat(file); err == nil && !info.Mode().IsRegular() {
		return prcomment.Stack{Name: name, Problem: "the preview is not a regular file"}
	}
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
