//go:build e2e

package e2e

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// rotated is the new value of the secret that the test rotates. It occurs nowhere else.
const rotated = "memory://rotated-6f1d2c9b7a"

// rotatedSecret rotates a secret within the first stage: it is a new release, which replaces the canary's pods and
// begins its soak anew. Stable keeps what it runs, and capacity never drops.
func rotatedSecret(t *testing.T, c *cluster) {
	before, generations := c.state(t), c.generations(t)
	c.secret(t, "secrets.finance-secrets.eventstore-connection", rotated)
	whole, argued := c.watchCapacity(t), watchArguments(t, append(c.secretValues(t), rotated))
	c.up(t, "production")
	whole()
	if leaked := argued(); len(leaked) > 0 {
		t.Errorf("secrets are in the arguments of processes: %v", leaked)
	}
	after := c.generations(t)
	if after["finance-service-week1"] == generations["finance-service-week1"] {
		t.Error("the canary was not rolled")
	}
	if after["finance-service-stable"] != generations["finance-service-stable"] {
		t.Error("stable was changed by a secret that has not passed")
	}
	c.expectTracks(t, 9, 1)
	state := c.state(t)
	if !state.SoakSince.After(before.SoakSince) || state.Weight != 10 || state.Image != before.Image ||
		state.StableIdentity.Hash() != before.StableIdentity.Hash() {
		t.Errorf("the soak began at %v, and after the rotation at %v (weight %d)", before.SoakSince, state.SoakSince,
			state.Weight)
	}
}

// state is the rollout's state according to its ledger.
func (c *cluster) state(t *testing.T) ledger.State {
	t.Helper()
	leaked, err := c.kubernetes.CoreV1().ConfigMaps(c.production).Get(t.Context(), "finance-service-ledger",
		metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	history, err := ledger.Parse(leaked.Data)
	if err != nil {
		t.Fatal(err)
	}
	return history.State()
}

// watchArguments samples the machine's processes until end is called, which returns those that had one of the values
// among their arguments.
func watchArguments(t *testing.T, values []string) (end func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	leaked, seen := map[string]bool{}, map[string]bool{}
	// A process gets its own arguments a moment after its start and keeps them, so the first samples of it suffice.
	looks := map[string]int{}
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				if looks[file]++; looks[file] > 20 {
					continue
				}
				content, err := os.ReadFile(file)
				if err != nil {
					continue
				}
				name, _, _ := strings.Cut(string(content), "\x00")
				seen[filepath.Base(name)] = true
				for _, value := range values {
					if strings.Contains(string(content), value) {
						leaked[filepath.Base(name)] = true
					}
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return func() []string {
		cancel()
		done.Wait()
		if !seen["pulumi"] {
			t.Errorf("the update itself was not seen among %d kinds of processes", len(seen))
		}
		var names []string
		for name := range leaked {
			names = append(names, name)
		}
		return names
	}
}

// secretValues returns the secrets of the derived stacks.
func (c *cluster) secretValues(t *testing.T) []string {
	t.Helper()
	var values []string
	for _, file := range []string{"jwt-secret", "postgres-password", "pulumi-passphrase"} {
		content, err := os.ReadFile(filepath.Join(c.root, ".local", "secrets", file))
		if err != nil || len(content) < 12 {
			t.Fatalf("secret %s: %d bytes, %v", file, len(content), err)
		}
		values = append(values, strings.TrimSpace(string(content)))
	}
	return values
}

// noSecretInAnyPlace searches everything that was printed or stored for every secret in use, plain and base64-encoded.
func noSecretInAnyPlace(t *testing.T, c *cluster) {
	places := map[string]string{}
	add := func(place, text string, err error) {
		t.Helper()
		if err != nil || text == "" {
			t.Errorf("%s: %d characters, %v", place, len(text), err)
		}
		places[place] = text
	}
	for _, stack := range []string{"staging", "production"} {
		export, err := c.pulumi(t, "stack", "export", "--stack", stack)
		add("state of "+stack, export, err)
		diff, err := c.pulumi(t, "preview", "--stack", stack, "--diff", "--policy-pack", c.pack())
		add("diff of "+stack, diff, err)
	}
	events, err := c.events(t)
	add("events of a preview", events, err)
	add("comment", c.comment(t, events), nil)
	for name, args := range map[string][]string{
		"events":                           {"get", "events", "-o", "yaml"},
		"config maps, ledger and evidence": {"get", "configmaps", "-o", "yaml"},
		"workloads":                        {"get", "deployments,replicasets,pods", "-o", "yaml"},
		"logs of stable":                   {"logs", "-l", "track=stable", "--tail=-1"},
		"logs of canary":                   {"logs", "-l", "track=canary", "--tail=-1"},
		"logs of the guard":                {"logs", "-l", "app=finance-service-guard", "--tail=-1"},
	} {
		text, err := c.run(t, "kubectl", append([]string{"-n", c.production}, args...)...)
		add(name, text, err)
	}
	err = filepath.WalkDir(c.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // a folder of the test's own
		places["file "+path] = string(content)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	places["output of all commands"] = c.logged.String()
	for i, value := range append(c.secretValues(t), rotated) {
		for place, text := range places {
			if strings.Contains(text, value) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(value))) {
				t.Errorf("secret %d is in the %s", i, place)
			}
		}
	}
}
