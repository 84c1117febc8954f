package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvCanBeSourced(t *testing.T) {
	root := filepath.Join(t.TempDir(), "it's a $HOME")
	c := &Cluster{root: root}
	if err := os.MkdirAll(c.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.writeEnv(); err != nil {
		t.Fatal(err)
	}
	show := func(script string) string {
		t.Helper()
		cmd := exec.Command("/bin/sh", "-eu", "-c", script)
		cmd.Env = []string{"PATH=/usr/bin:/bin", "ENV_FILE=" + c.EnvFile()}
		output, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(output)
	}
	want := c.Kubeconfig() + "\nfile://" + c.Dir("state") + "\n" + c.Dir("bin") + ":/usr/bin:/bin"
	got := show(`. "$ENV_FILE"; . "$ENV_FILE"; printf '%s\n%s\n%s' "$KUBECONFIG" "$PULUMI_BACKEND_URL" "$PATH"`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	passphrase := `. "$ENV_FILE"; printf '%s' "$PULUMI_CONFIG_PASSPHRASE"`
	first := show(passphrase)
	if err := c.writeEnv(); err != nil {
		t.Fatal(err)
	}
	if again := show(passphrase); again != first || len(first) < 20 {
		t.Errorf("the passphrase changed or is short: the stacks could not be read any more")
	}
}

func TestCNILeftoversAreOurPodsOnly(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{Name + "-abc-eth0", "cni-loopback-abc-lo", "cni-loopback-other-lo", "podman-xyz-eth0"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := cniLeftovers(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, Name+"-abc-eth0"), filepath.Join(dir, "cni-loopback-abc-lo")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("leftovers (-want +got):\n%s", diff)
	}
}

func TestLinksIntoLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	for name, target := range map[string]string{"ours.log": "/data/pod-logs/1.log", "others.log": "/database/1.log"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := linksInto(dir, "/data")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, "ours.log")}, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestUnescape(t *testing.T) {
	if got := unescape(`/a\040b\134c`); got != `/a b\c` {
		t.Errorf("got %q", got)
	}
}

func TestConfigurationIsComplete(t *testing.T) {
	for _, name := range []string{"containerd.toml", "hosts.toml", "network.json", "kubelet.yaml", "resolv.conf"} {
		content, err := configFiles.ReadFile("config/" + name)
		if err != nil || len(content) == 0 {
			t.Errorf("%s: %d bytes, error %v", name, len(content), err)
		}
	}
}

func TestTheGatewayListensOnLoopbackOnly(t *testing.T) {
	part := (&Cluster{root: t.TempDir()}).traefik(pki{gateway: "/secret/kubeconfig"})
	entries := 0
	for _, arg := range part.spec.Args {
		if name, address, ok := strings.Cut(arg, ".address="); ok {
			entries++
			if !strings.HasPrefix(address, "127.0.0.1:") {
				t.Errorf("%s listens at %s", name, address)
			}
		}
	}
	if entries != 2 || !slices.Contains(part.spec.Env, "KUBECONFIG=/secret/kubeconfig") {
		t.Errorf("%d entry points, environment %v", entries, part.spec.Env)
	}
}
