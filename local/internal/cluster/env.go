package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// EnvFile returns the file that a shell sources to work with the local cluster.
func (c *Cluster) EnvFile() string {
	return c.Dir("env")
}

// writeEnv writes the file that a shell sources.
func (c *Cluster) writeEnv() error {
	passphrase, err := c.secret("pulumi-passphrase")
	if err != nil {
		return err
	}
	variables := [][2]string{
		{"KUBECONFIG", c.Kubeconfig()},
		{"PULUMI_HOME", c.Dir("pulumi")},
		{"PULUMI_BACKEND_URL", "file://" + c.Dir("state")},
		{"PULUMI_CONFIG_PASSPHRASE", passphrase},
		{"PULUMI_OPTION_CWD", c.Dir("project")},
		{"PULUMI_SKIP_UPDATE_CHECK", "true"},
		// The program can build images with the Docker provider, which no local stack does. Without this, every preview and
		// update would try to download that provider, which takes seconds where there is no internet.
		{"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true"},
		{"CGO_ENABLED", "0"},
		{"FINANCE_ROLLOUT_REGISTRY", Registry},
		{"FINANCE_ROLLOUT_PROMETHEUS", url("http", "127.0.0.1", prometheusNodePort)},
		{"FINANCE_ROLLOUT_DB_PASSWORD_FILE", c.Dir("secrets", "postgres-password")},
	}
	if gateway := c.gatewayURL(); gateway != "" {
		variables = append(variables, [2]string{"FINANCE_ROLLOUT_GATEWAY", gateway})
	}
	var content strings.Builder
	content.WriteString("# To be sourced by a shell: . .local/env\n")
	// Sourcing twice is not to make PATH longer.
	fmt.Fprintf(&content, "case \":$PATH:\" in *:%[1]s:*) ;; *) export PATH=%[1]s:\"$PATH\" ;; esac\n",
		quote(c.Dir("bin")))
	for _, variable := range variables {
		fmt.Fprintf(&content, "export %s=%s\n", variable[0], quote(variable[1]))
	}
	return replaceFile(c.EnvFile(), content.String(), 0o600)
}

// quote makes a word of a POSIX shell.
func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// secret returns a random text that is made once and kept.
func (c *Cluster) secret(name string) (string, error) {
	path := c.Dir("secrets", name)
	content, err := os.ReadFile(path)
	if err == nil && len(content) > 0 {
		return string(content), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	value := rand.Text()
	return value, replaceFile(path, value, 0o600)
}

// replaceFile writes a file in one step.
func replaceFile(path, content string, mode os.FileMode) error {
	if err := os.WriteFile(path+".tmp", []byte(content), mode); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
