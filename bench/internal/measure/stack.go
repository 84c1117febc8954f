package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Derive creates a project of the demo's stacks with its own namespaces and state, and deletes the leftovers of a
// killed run. The node port is that of the production Service; that of staging is the next.
func Derive(ctx context.Context, root, suffix string, nodePort int) (Shell, error) {
	s := Shell{Root: root, Project: filepath.Join(root, ".local", "bench"+suffix)}
	if _, err := s.Run(ctx, "kubectl", "delete", "namespace", "--ignore-not-found", "--timeout=120s",
		"vextrus-production"+suffix, "vextrus-staging"+suffix); err != nil {
		return s, fmt.Errorf("the local cluster does not run, or only in part: run `make cluster`: %w", err)
	}
	if err := os.RemoveAll(s.Project); err != nil {
		return s, err
	}
	_, err := s.Run(ctx, filepath.Join(root, ".local", "bin", "local"), "stacks", "--root", root, "--dir", s.Project,
		"--suffix", suffix, "--node-port", strconv.Itoa(nodePort))
	return s, err
}

// Destroy removes the stacks of a derived project, also after an interrupt.
func (s Shell) Destroy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	defer cancel()
	var failed error
	for _, name := range []string{"production", "staging"} {
		if _, err := os.Stat(filepath.Join(s.Project, "Pulumi."+name+".yaml")); err != nil {
			continue // it does not exist yet
		}
		// Production is protected; its namespace goes when the next measurement begins.
		_, err := s.Pulumi(ctx, "state", "unprotect", "--all", "--yes", "--stack", name)
		failed = errors.Join(failed, err)
		_, err = s.Pulumi(ctx, "destroy", "--yes", "--skip-preview", "--stack", name)
		failed = errors.Join(failed, err)
	}
	if failed == nil {
		failed = os.RemoveAll(s.Project)
	}
	return failed
}

// Set changes a setting of the production stack.
func (s Shell) Set(ctx context.Context, path, value string) error {
	_, err := s.Pulumi(ctx, "config", "set", "--stack", "production", "--path", path, "--", value)
	return err
}

// Up updates a stack and returns how long that took.
func (s Shell) Up(ctx context.Context, name string, flags ...string) (time.Duration, error) {
	return Time(func() error {
		args := []string{"up", "--yes", "--skip-preview", "--suppress-progress", "--color", "never", "--stack", name}
		_, err := s.Pulumi(ctx, append(args, flags...)...)
		return err
	})
}
