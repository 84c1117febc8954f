//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/prcomment"
)

// TestRails takes a release into production and tests the guard rails: policies, pull request comments, read-only
// previews and a rotated secret. Its parts build on each other and run in order.
func TestRails(t *testing.T) {
	takeTurn(t, 6)
	c := open(t, "rails", 30780)
	c.config(t, "bake.duration", "0s")
	copyFile(t, os.Getenv("KUBECONFIG"), c.kubeconfig())
	c.config(t, "kubeconfig", c.kubeconfig())
	inOrder(t, c, []part[*cluster]{
		{name: "before staging", run: beforeStaging},
		{name: "up by the policies", run: upByThePolicies, vital: true},
		{name: "broken policies", run: brokenPolicies},
		{name: "not seen in staging", run: notSeenInStaging},
		{name: "comment on a pull request", run: pullRequest},
		{name: "preview with rights that read only", run: readOnlyPreview},
		{name: "another machine", run: anotherMachine},
		{name: "rotated secret", run: rotatedSecret},
		{name: "no secret in any place", run: noSecretInAnyPlace},
	})
}

// kubeconfig is the path of the kubeconfig that the production stack uses in this test, a copy of the cluster's.
func (c *cluster) kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) pack() string { return filepath.Join(c.root, "policies") }

// beforeStaging previews an image that staging has not verified: the gate refuses it before the first track, and no
// policy is violated.
func beforeStaging(t *testing.T, c *cluster) {
	output, err := c.pulumi(t, "preview", "--stack", "production", "--policy-pack", c.pack())
	if err == nil {
		t.Errorf("accepted:\n%s", tail(output))
	}
	if !strings.Contains(output, "not verified in staging") || !strings.Contains(output, "finance-rollout@v1.0.0") {
		t.Errorf("the preview does not tell of staging or of the policies:\n%s", tail(output))
	}
	if strings.Contains(output, "[mandatory]") {
		t.Errorf("a policy is broken:\n%s", tail(output))
	}
}

func upByThePolicies(t *testing.T, c *cluster) {
	for _, stack := range []string{"staging", "production"} {
		if output, err := c.pulumi(t, "up", "--stack", stack, "--yes", "--skip-preview", "--policy-pack",
			c.pack()); err != nil {
			t.Fatalf("pulumi up -s %s: %v\n%s", stack, err, tail(output))
		}
		output, err := c.pulumi(t, "preview", "--stack", stack, "--policy-pack", c.pack(), "--expect-no-changes")
		if err != nil || strings.Contains(output, "[mandatory]") || !strings.Contains(output, "finance-rollout@v1.0.0") {
			t.Errorf("the preview of %s by the policies: %v\n%s", stack, err, tail(output))
		}
	}
	c.expectTracks(t, 9, 1)
}

// brokenPolicies violates policies one by one. Each refusal names the policy and the remedy, but not the value.
func brokenPolicies(t *testing.T, c *cluster) {
	lax := filepath.Join(t.TempDir(), "lax.json")
	if err := os.WriteFile(lax, []byte(`{"credential-in-env":"advisory"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const value = "sk-0123456789abcdef"
	tests := []struct {
		name, path, value string
		secret            bool
		args              []string
		want              []string
		passes            bool
	}{
		{name: "a credential in the open", path: "env.STRIPE_API_KEY", value: value,
			want: []string{"[mandatory]  credential-in-env", "STRIPE_API_KEY", "config set --secret --path secrets.NAME.KEY"}},
		{name: "the same as advice", path: "env.STRIPE_API_KEY", value: value, args: []string{"--policy-pack-config", lax},
			want: []string{"[advisory]  credential-in-env"}, passes: true},
		{name: "every origin", path: "secrets.finance-secrets.cors-origin", value: "*", secret: true,
			want: []string{"[mandatory]  cors-origin ", "lets every site in by *"}},
		{name: "an event store in the open", path: "secrets.finance-secrets.eventstore-connection",
			value: "esdb://es:2113?tls=false", secret: true,
			want: []string{"[mandatory]  eventstore-tls", "?tls=true"}},
		{name: "no monitoring", path: "monitoring.enabled", value: "false",
			want: []string{"[mandatory]  canary-scraped", "[mandatory]  canary-alerts"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.keepStack(t)
			if tt.secret {
				c.secret(t, tt.path, tt.value)
			} else {
				c.config(t, tt.path, tt.value)
			}
			output, err := c.pulumi(t, append([]string{"preview", "--stack", "production", "--policy-pack", c.pack()},
				tt.args...)...)
			if (err == nil) != tt.passes {
				t.Errorf("the preview ends with %v:\n%s", err, tail(output))
			}
			for _, word := range tt.want {
				if !strings.Contains(output, word) {
					t.Errorf("the preview does not say %q:\n%s", word, tail(output))
				}
			}
			_, policies, _ := strings.Cut(output, "Policies:")
			if strings.Contains(policies, value) || strings.Contains(policies, "es:2113") {
				t.Errorf("a policy tells the value:\n%s", policies)
			}
		})
	}
}

// notSeenInStaging switches the gate's check of staging off: the policy still checks the image, whatever the setting.
func notSeenInStaging(t *testing.T, c *cluster) {
	c.keepStack(t)
	c.config(t, "staging.required", "false")
	verified, err := c.pulumi(t, "preview", "--stack", "production", "--policy-pack", c.pack())
	if err != nil || strings.Contains(verified, "staging-verified") ||
		!strings.Contains(verified, "finance-rollout@v1.0.0") {
		t.Errorf("staging's word for the image is in the ledger, and the preview ends with %v:\n%s", err, tail(verified))
	}
	unverified := c.configured(t, "production", "stableImage")
	_, digest, _ := strings.Cut(unverified, "@")
	c.config(t, "image", unverified)
	mark, before := c.mark(t), c.generations(t)
	for _, tt := range []struct {
		command []string
		says    string
		passes  bool
	}{
		// The pull request may be the one that deploys the image to staging.
		{[]string{"preview"}, "[advisory]  staging-verified", true},
		{[]string{"up", "--yes", "--skip-preview"}, "[mandatory]  staging-verified", false},
	} {
		output, err := c.pulumi(t, append(tt.command, "--stack", "production", "--policy-pack", c.pack())...)
		if (err == nil) != tt.passes {
			t.Errorf("%s ends with %v:\n%s", tt.command[0], err, tail(output))
		}
		for _, word := range []string{tt.says, "staging has not verified " + digest,
			"run `pulumi up -s staging` with this image first"} {
			if !strings.Contains(output, word) {
				t.Errorf("%s does not say %q:\n%s", tt.command[0], word, tail(output))
			}
		}
	}
	c.expectNoted(t, mark)
	if after := c.generations(t); !cmp.Equal(before, after) {
		t.Errorf("something was changed: %s", cmp.Diff(before, after))
	}
}

// keepStack restores the stack's file when the test ends.
func (c *cluster) keepStack(t *testing.T) {
	t.Helper()
	path := filepath.Join(c.dir, "Pulumi.production.yaml")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Error(err)
		}
	})
}

// events previews the production stack as the pull request workflow does and returns the engine's events.
func (c *cluster) events(t *testing.T) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "pulumi", "preview", "--stack", "production", "--non-interactive",
		"--json", "--policy-pack", c.pack())
	command.Dir, command.Env = c.root, append(slices.Clone(c.env), "PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true")
	var problem strings.Builder
	command.Stderr = &problem
	output, err := command.Output()
	c.logged.Write(output)
	c.logged.WriteString(problem.String())
	return string(output), err
}

// comment returns the pull request comment for the output of a preview.
func (c *cluster) comment(t *testing.T, events string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "production.json")
	if err := os.WriteFile(file, []byte(events), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := c.run(t, "go", "run", "-buildvcs=false", "./cmd/prcomment", "--commit", "0123456", "production="+file)
	if err != nil {
		t.Fatalf("prcomment: %v\n%s", err, output)
	}
	return output
}

func pullRequest(t *testing.T, c *cluster) {
	c.keepStack(t)
	c.config(t, "week", "2")
	events, err := c.events(t)
	if err != nil {
		t.Fatalf("preview: %v\n%s", err, tail(events))
	}
	comment := c.comment(t, events)
	for _, word := range []string{
		prcomment.Marker, "`production`: an update would be refused now; time or traffic can still cure it",
		"advance from 10 % to 30 %",
		"`Deployment stable` | `spec.replicas` | `9` | `7`",
		"`Deployment finance-service-week1` | `spec.replicas` | `1` | `3`",
		"`30`",
		"3 to `update`",
	} {
		if !strings.Contains(comment, word) {
			t.Errorf("the comment does not hold %q:\n%s", word, comment)
		}
	}
}

// readOnlyPreview previews with an account that only has the preview roles of docs/rbac.yaml.
func readOnlyPreview(t *testing.T, c *cluster) {
	kubeconfig := c.previewer(t)
	for right, want := range map[string]string{
		"get configmaps": "yes", "list pods": "yes", "get secrets": "no", "list secrets": "no", "patch deployments": "no",
		"create deployments": "no",
		"delete pods":        "no", "create configmaps": "no", "update configmaps": "no", "create pods/exec": "no",
		"create pods/portforward": "no",
	} {
		args := append([]string{"--kubeconfig", kubeconfig, "auth", "can-i", "-n", c.production}, strings.Fields(right)...)
		if output, _ := c.run(t, "kubectl", args...); strings.TrimSpace(output) != want {
			t.Errorf("may %s: %s, want %s", right, output, want)
		}
	}
	// Of the monitoring namespace it reaches Prometheus alone.
	for service, want := range map[string]string{"prometheus-operated:9090": "yes", "prometheus-operated:9091": "no",
		"alertmanager-operated:9093": "no", "kubernetes:443": "no"} {
		output, _ := c.run(t, "kubectl", "--kubeconfig", kubeconfig, "auth", "can-i", "-n", "monitoring", "create",
			"services/"+service, "--subresource=proxy")
		if strings.TrimSpace(output) != want {
			t.Errorf("may post to %s: %s, want %s", service, output, want)
		}
	}
	c.keepStack(t)
	c.secret(t, "secrets.finance-secrets.eventstore-connection", "memory://another")
	everything, err := c.events(t)
	if err != nil {
		t.Fatalf("preview: %v\n%s", err, tail(everything))
	}
	// The stack keeps its kubeconfig setting, so that the two previews differ only in their rights.
	copyFile(t, kubeconfig, c.kubeconfig())
	t.Cleanup(func() { copyFile(t, os.Getenv("KUBECONFIG"), c.kubeconfig()) })
	reading, err := c.events(t)
	if err != nil {
		t.Fatalf("preview with rights that read only: %v\n%s", err, tail(reading))
	}
	if diff := cmp.Diff(changesOf(t, everything), changesOf(t, reading)); diff != "" {
		t.Errorf("rights that read only show other changes (-all +reading):\n%s", diff)
	}
	if output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview"); err == nil ||
		!strings.Contains(output, "forbidden") {
		t.Errorf("an update with rights that read only ends with %v:\n%s", err, tail(output))
	}
}

// anotherMachine updates a stack whose configuration names no kubeconfig, then refreshes it where KUBECONFIG is a list
// of other files.
func anotherMachine(t *testing.T, c *cluster) {
	c.keepStack(t)
	c.unset(t, "kubeconfig")
	c.up(t, "production")
	state, err := c.pulumi(t, "stack", "export", "--stack", "production")
	if err != nil || strings.Contains(state, os.Getenv("KUBECONFIG")) || strings.Contains(state, c.kubeconfig()) {
		t.Errorf("the state names a kubeconfig of the machine: %v", err)
	}
	before := c.env
	t.Cleanup(func() { c.env = before })
	copyFile(t, os.Getenv("KUBECONFIG"), filepath.Join(c.dir, "laptop"))
	c.env = append(slices.Clone(c.env), "KUBECONFIG="+filepath.Join(c.dir, "nothing")+":"+filepath.Join(c.dir, "laptop"))
	output, err := c.pulumi(t, "preview", "--stack", "production", "--refresh", "--expect-no-changes")
	if err != nil {
		t.Errorf("another machine sees changes: %v\n%s", err, tail(output))
	}
}

func changesOf(t *testing.T, events string) []prcomment.Change {
	t.Helper()
	preview, err := prcomment.Read(strings.NewReader(events))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(preview.Changes, func(a, b prcomment.Change) int {
		return strings.Compare(a.Type+a.Name,
			b.Type+b.Name)
	})
	return preview.Changes
}

// previewer creates an account with the preview roles and returns the path of its kubeconfig.
func (c *cluster) previewer(t *testing.T) string {
	t.Helper()
	rbac, err := os.ReadFile(filepath.Join(c.root, "docs", "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// The cluster-wide roles get names of their own, so that the test changes nothing of a user's.
	roles := strings.NewReplacer("finance-rollout-", "finance-rollout-rails-", "vextrus-production",
		c.production).Replace(string(rbac))
	file := filepath.Join(t.TempDir(), "rbac.yaml")
	if err := os.WriteFile(file, []byte(roles), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) string {
		t.Helper()
		output, err := c.run(t, "kubectl", args...)
		if err != nil {
			t.Fatalf("kubectl %v: %v\n%s", args, err, output)
		}
		return strings.TrimSpace(output)
	}
	kubectl("apply", "-f", file)
	t.Cleanup(func() {
		kubectl("delete", "--ignore-not-found", "-f", file)
		kubectl("delete", "--ignore-not-found", "-n", "monitoring", "rolebinding", "rails-preview")
		kubectl("delete", "--ignore-not-found", "clusterrolebinding", "rails-preview")
	})
	account := c.production + ":previewer"
	kubectl("create", "serviceaccount", "-n", c.production, "previewer")
	kubectl("create", "rolebinding", "-n", c.production, "rails-preview", "--clusterrole=finance-rollout-rails-preview",
		"--serviceaccount="+account)
	kubectl("create", "clusterrolebinding", "rails-preview", "--clusterrole=finance-rollout-rails-preview-namespace",
		"--serviceaccount="+account)
	kubectl("create", "rolebinding", "-n", "monitoring", "rails-preview",
		"--clusterrole=finance-rollout-rails-preview-prometheus",
		"--serviceaccount="+account)
	token := kubectl("create", "token", "-n", c.production, "previewer", "--duration=1h")
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(kubectl("config", "view", "--raw", "--minify", "--flatten")),
		0o600); err != nil {
		t.Fatal(err)
	}
	user := kubectl("--kubeconfig", kubeconfig, "config", "view", "-o", "jsonpath={.users[0].name}")
	kubectl("--kubeconfig", kubeconfig, "config", "unset", "users")
	kubectl("--kubeconfig", kubeconfig, "config", "set-credentials", user, "--token="+token)
	return kubeconfig
}
