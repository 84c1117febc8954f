//go:build e2e

package e2e

import (
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// edit changes a stack's configuration with the same code as `pulumi config`, but without starting the CLI, which takes
// a second: the tests change more than a hundred values.
func (c *cluster) edit(t *testing.T, stack string, change func(config.Map) error) {
	t.Helper()
	path := filepath.Join(c.dir, "Pulumi."+stack+".yaml")
	file := c.stackFile(t, path)
	if err := change(file.Config); err != nil {
		t.Fatalf("change %s: %v", path, err)
	}
	if err := file.Save(path); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) stackFile(t *testing.T, path string) *workspace.ProjectStack {
	t.Helper()
	project, err := workspace.LoadProject(filepath.Join(c.dir, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sink := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never})
	file, err := workspace.LoadProjectStack(sink, project, path)
	if err != nil {
		t.Fatal(err)
	}
	if file.Config == nil {
		file.Config = config.Map{}
	}
	return file
}

func configKey(path string) config.Key { return config.MustMakeKey("finance-rollout", path) }

// config sets a value of the production stack by its path.
func (c *cluster) config(t *testing.T, path, value string) {
	t.Helper()
	c.configOf(t, "production", path, value)
}

// configOf sets a value of a stack by its path.
func (c *cluster) configOf(t *testing.T, stack, path, value string) {
	t.Helper()
	c.edit(t, stack, func(values config.Map) error {
		return values.Set(configKey(path), config.NewValue(value), true)
	})
}

// set changes a value of the production stack by its path and restores it when the test ends.
func (c *cluster) set(t *testing.T, path, value string) {
	t.Helper()
	c.edit(t, "production", func(values config.Map) error {
		before, existed, err := values.Get(configKey(path), true)
		if err != nil {
			return err
		}
		t.Cleanup(func() {
			if !existed {
				c.unset(t, path)
				return
			}
			c.edit(t, "production", func(values config.Map) error { return values.Set(configKey(path), before, true) })
		})
		return values.Set(configKey(path), config.NewValue(value), true)
	})
}

// unset removes a value of the production stack by its path.
func (c *cluster) unset(t *testing.T, path string) {
	t.Helper()
	c.edit(t, "production", func(values config.Map) error { return values.Remove(configKey(path), true) })
}

// configured returns a value of a stack by its path, or an empty string if the stack has none.
func (c *cluster) configured(t *testing.T, stack, path string) string {
	t.Helper()
	setting, ok, err := c.stackFile(t, filepath.Join(c.dir, "Pulumi."+stack+".yaml")).Config.Get(configKey(path), true)
	if err != nil {
		t.Fatalf("read %s of stack %s: %v", path, stack, err)
	}
	if !ok {
		return ""
	}
	value, err := setting.Value(config.NopDecrypter)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// secret sets a secret of the production stack. It goes to the CLI by standard input, which no process list shows.
func (c *cluster) secret(t *testing.T, path, value string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "pulumi", "config", "set", "--non-interactive", "--secret", "--stack",
		"production", "--path", path)
	command.Dir, command.Env, command.Stdin = c.root, c.env, strings.NewReader(value)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("pulumi config set --secret %s: %v\n%s", path, err, output)
	}
}
