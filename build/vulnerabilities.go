package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/build/internal/vulnerabilities"
)

// vulnerabilitiesCommand runs govulncheck on the whole module.
func vulnerabilitiesCommand(open opener) *cobra.Command {
	var database string
	cmd := &cobra.Command{
		Use:   "vulnerabilities [--db URL]",
		Short: "Look for known vulnerabilities in code that ours calls; .govulncheck.yaml lists the accepted ones",
		Long: "Look for known vulnerabilities in code that ours calls. The accepted ones are listed with their reasons in " +
			".govulncheck.yaml.\n\n" +
			"The database is that of the pinned module golang.org/x/vulndb, so that the check needs no other network and " +
			"gives the same\n" +
			"answer tomorrow. --db https://vuln.go.dev also finds newer entries.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if err := c.builder().Provide(cmd.Context(), "govulncheck"); err != nil {
				return err
			}
			if database == "" {
				if database, err = pinnedDatabase(cmd.Context(), c.root); err != nil {
					return err
				}
			}
			document, err := os.ReadFile(filepath.Join(c.root, ".govulncheck.yaml"))
			if err != nil {
				return err
			}
			accepted, err := vulnerabilities.ReadAccepted(document)
			if err != nil {
				return err
			}
			report, err := run(cmd.Context(), c.root, c.binary("govulncheck"), "-format", "json", "-db", database, "./...")
			if err != nil {
				return err
			}
			findings, err := vulnerabilities.Read(bytes.NewReader(report))
			if err != nil {
				return err
			}
			say := func(text string) { fmt.Fprintln(cmd.OutOrStdout(), text) }
			return vulnerabilities.Judge(findings, accepted, say)
		},
	}
	cmd.Flags().StringVar(&database, "db", "", "address of the database (default: the pinned module's)")
	return cmd
}

// pinnedDatabase returns the URL of the vulnerability database that the tool's go.mod pins.
func pinnedDatabase(ctx context.Context, root string) (string, error) {
	text, err := run(ctx, filepath.Join(root, "build", "tools", "govulncheck"), "go", "mod", "download", "-json",
		"golang.org/x/vulndb")
	if err != nil {
		return "", err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(text, &module); err != nil || module.Dir == "" {
		return "", fmt.Errorf("find the vulnerability database: %w in %s", err, text)
	}
	return "file://" + filepath.Join(module.Dir, "data", "osv"), nil
}

// run runs a command and returns its output. An error holds its standard error.
func run(ctx context.Context, folder, name string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = folder
	var problem bytes.Buffer
	command.Stderr = &problem
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, problem.String())
	}
	return text, nil
}
