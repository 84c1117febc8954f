//go:build e2e

package program

import (
	"fmt"
	"io"
	stdlog "log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

const (
	pushPassword = "push-me-s3cr3t"
	plainBuild   = `{"context":"finance","dockerfile":"deploy/Dockerfile","args":{"EDITION":"full"}}`
)

// dockerd starts a Docker daemon of the test's own, and gives its address and a way to end it.
func dockerd(t *testing.T) (address string, end func()) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dockerd") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "d.sock")
	output := &strings.Builder{}
	daemon := exec.Command("dockerd", "--host", "unix://"+socket, "--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "--bridge", "none",
		"--iptables=false", "--ip6tables=false", "--ip-masq=false")
	daemon.Stdout, daemon.Stderr = output, output
	if err := daemon.Start(); err != nil {
		t.Fatalf("start a Docker daemon: %v: `.local/bin/local packages` installs it", err)
	}
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		_ = daemon.Process.Signal(os.Interrupt)
		_ = daemon.Wait()
	}
	t.Cleanup(func() {
		end()
		_ = os.RemoveAll(dir)
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return "unix://" + socket, end
		}
	}
	end()
	t.Fatalf("the Docker daemon does not answer:\n%s", output)
	return "", nil
}

// guarded is a registry that wants a login for everything.
type guarded struct {
	host   string
	pushed atomic.Int32
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g, images := &guarded{}, registry.New(registry.Logger(stdlog.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, given := r.BasicAuth()
		if !given {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}
		if user != "robot" || password != pushPassword {
			// A daemon that is told no more than 401 tries for more than a minute.
			refuse(w, http.StatusForbidden, "DENIED", "wrong user or password")
			return
		}
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			g.pushed.Add(1)
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.host = strings.TrimPrefix(server.URL, "http://")
	return g
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, text)
}

func (g *guarded) login(password string) string {
	return fmt.Sprintf(`{"server":%q,"username":"robot","password":%q}`, g.host, password)
}

// digest is that of a tag.
func (g *guarded) digest(t *testing.T, reference string) string {
	t.Helper()
	tag, err := name.NewTag(reference)
	if err != nil {
		t.Fatal(err)
	}
	there, err := remote.Head(tag, remote.WithAuth(&authn.Basic{Username: "robot", Password: pushPassword}))
	if err != nil {
		t.Fatal(err)
	}
	return there.Digest.String()
}

// overwrite lets somebody else push an image under a tag.
func (g *guarded) overwrite(t *testing.T, reference string) {
	t.Helper()
	tag, err := name.NewTag(reference)
	if err != nil {
		t.Fatal(err)
	}
	other, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	login := remote.WithAuth(&authn.Basic{Username: "robot", Password: pushPassword})
	if err := remote.Write(tag, other, login); err != nil {
		t.Fatal(err)
	}
}

// builder is a stack with one track that builds its image.
type builder struct {
	*engine
	*guarded
	image     string
	config    map[string]string
	endDaemon func()
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	daemon, end := dockerd(t)
	cluster := newAnswering(t)
	deps := newWorld().deps()
	deps.Resolve = resolveImage
	deps.Connect = func(string, string) (Cluster, error) { return cluster, nil }
	b := &builder{guarded: newGuarded(t), endDaemon: end}
	b.engine = newEngine(t, "staging", func(ctx *pulumi.Context) error { return Run(ctx, deps) },
		map[string]string{"DOCKER_HOST": daemon})
	b.image = b.host + "/vextrus/finance:v1"
	b.write(t, "deploy/Dockerfile", "FROM scratch AS production\nARG EDITION\nLABEL edition=$EDITION\n"+
		"COPY service /service\nFROM scratch AS tests\nCOPY nothing /\n")
	b.write(t, "service", "version 1")
	b.config = map[string]string{
		"strategy": "single", "release": "staging", "replicas": "2", "namespace": "vextrus-staging", "image": b.image,
		"build":    plainBuild,
		"registry": b.login(pushPassword), "secretEnv": `{}`, "bake": `{"duration":"0s"}`, "monitoring": `{"enabled":false}`,
		"smoke": fmt.Sprintf(`{"suite":%q,"originFrom":"","tokenFrom":""}`, suiteOf(t)),
	}
	b.configure(t, b.config, "registry")
	return b
}

// write writes a file of the build's context.
func (b *builder) write(t *testing.T, path, content string) {
	t.Helper()
	path = filepath.Join(b.dir, "finance", path)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reconfigure changes some of the configuration.
func (b *builder) reconfigure(t *testing.T, changes map[string]string, secret ...string) {
	t.Helper()
	maps.Copy(b.config, changes)
	b.configure(t, b.config, append(secret, "registry")...)
}

// verified is the digest of the output verifiedImage.
func (b *builder) verified(t *testing.T) string {
	t.Helper()
	return names.Digest(b.output(t, "verifiedImage"))
}

// TestBuild takes the program's way of building an image: by the real engine, a Docker daemon and a registry. Only the
// plugin of the provider is the tests' own, and the cluster, which has no nodes.
func TestBuild(t *testing.T) {
	b := newBuilder(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *builder)
	}{
		{"the first update builds and pushes", firstBuild},
		{"an unchanged one does neither", unchangedBuild},
		{"a build secret is shown nowhere", buildSecret},
		{"a changed source is another image", changedSource},
		{"a broken Dockerfile changes nothing", brokenDockerfile},
		{"a wrong password is told and not shown", wrongPassword},
		{"a tag that somebody else has pushed over is refused", overwrittenTag},
		{"destroy needs no daemon", destroyWithoutDaemon},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(t, b) }) {
			t.Fatalf("the parts after %q depend on it", part.name)
		}
	}
}

func firstBuild(t *testing.T, b *builder) {
	output, err := b.preview(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	has(t, output, b.image+" is built from finance")
	if b.pushed.Load() != 0 {
		t.Error("the preview has pushed an image")
	}
	has(t, b.mustUp(t), "passed its gate")
	if got, want := b.verified(t), b.digest(t, b.image); got != want {
		t.Errorf("verified is %s, and the registry has %s", got, want)
	}
	if !strings.HasPrefix(b.output(t, "verifiedImage"), b.host+"/vextrus/finance@sha256:") {
		t.Errorf("verified is %s", b.output(t, "verifiedImage"))
	}
}

func unchangedBuild(t *testing.T, b *builder) {
	before, pushed := b.verified(t), b.pushed.Load()
	if output, err := b.preview(t, optpreview.ExpectNoChanges()); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	has(t, b.mustUp(t), "unchanged")
	if b.verified(t) != before || b.pushed.Load() != pushed {
		t.Errorf("verified is %s after %s, with %d pushes", b.verified(t), before, b.pushed.Load()-pushed)
	}
}

// Several platforms, secrets and a cache go another way, by the provider that has them.
func buildSecret(t *testing.T, b *builder) {
	const secret = "npm_t0ken-s3cr3t"
	b.reconfigure(t, map[string]string{"build": `{"context":"finance","dockerfile":"deploy/Dockerfile",
		"secrets":{"npm-token":"` + secret + `"}}`}, "build")
	previewed, err := b.preview(t, optpreview.Diff())
	if err != nil {
		t.Fatalf("%v\n%s", err, previewed)
	}
	has(t, previewed, "docker-build:index:Image", "[secret]")
	output := b.mustUp(t)
	for _, shown := range []string{previewed, output, b.state(t)} {
		if strings.Contains(shown, secret) || strings.Contains(shown, pushPassword) {
			t.Errorf("a secret is shown:\n%s", shown)
		}
	}
	if b.verified(t) != b.digest(t, b.image) {
		t.Errorf("verified is %s, and the registry has %s", b.verified(t), b.digest(t, b.image))
	}
}

func changedSource(t *testing.T, b *builder) {
	before := b.verified(t)
	b.reconfigure(t, map[string]string{"build": plainBuild})
	b.write(t, "service", "version 2")
	output, err := b.preview(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	has(t, output, "docker:index:Image")
	b.mustUp(t)
	if after := b.verified(t); after == before || after != b.digest(t, b.image) {
		t.Errorf("verified is %s after %s, and the registry has %s", after, before, b.digest(t, b.image))
	}
}

// What stands is left standing, and the update ends by itself.
func brokenDockerfile(t *testing.T, b *builder) {
	before := b.verified(t)
	b.reconfigure(t, map[string]string{"build": `{"context":"finance","dockerfile":"deploy/Dockerfile","target":"tests"}`})
	ended := make(chan string, 1)
	go func() {
		output, err := b.up(t)
		if err == nil {
			output = "the update has passed:\n" + output
		}
		ended <- output
	}()
	select {
	case output := <-ended:
		has(t, output, "error reading build output", "nothing")
	case <-time.After(time.Minute):
		t.Fatal("the update hangs")
	}
	if b.verified(t) != before {
		t.Errorf("verified is %s after %s", b.verified(t), before)
	}
	b.reconfigure(t, map[string]string{"build": `{"context":"finance","dockerfile":"elsewhere/Dockerfile"}`})
	output, err := b.preview(t)
	if err == nil {
		t.Error("a preview without a Dockerfile passes")
	}
	has(t, output, "finance/elsewhere/Dockerfile")
	b.reconfigure(t, map[string]string{"build": plainBuild})
}

func wrongPassword(t *testing.T, b *builder) {
	before := b.verified(t)
	b.write(t, "service", "version 3")
	const wrong = "wr0ng-s3cr3t"
	b.reconfigure(t, map[string]string{"registry": b.login(wrong)})
	output, err := b.up(t)
	if err == nil {
		t.Error("the update passes")
	}
	has(t, output, "error reading push output", "denied")
	for _, shown := range []string{output, b.state(t)} {
		if strings.Contains(shown, wrong) || strings.Contains(shown, pushPassword) {
			t.Errorf("a password is shown:\n%s", shown)
		}
	}
	if b.verified(t) != before {
		t.Errorf("verified is %s after %s", b.verified(t), before)
	}
	b.reconfigure(t, map[string]string{"registry": b.login(pushPassword)})
	b.mustUp(t)
}

func overwrittenTag(t *testing.T, b *builder) {
	built := b.verified(t)
	b.overwrite(t, b.image)
	output, err := b.up(t)
	if err == nil {
		t.Error("the update passes")
	}
	has(t, output, "the build reports "+built, "the registry has "+b.digest(t, b.image), "pulumi config set image")
	b.image = b.host + "/vextrus/finance:v2"
	b.reconfigure(t, map[string]string{"image": b.image})
	b.mustUp(t)
	if b.verified(t) != b.digest(t, b.image) {
		t.Errorf("verified is %s, and the registry has %s", b.verified(t), b.digest(t, b.image))
	}
}

func destroyWithoutDaemon(t *testing.T, b *builder) {
	has(t, b.state(t), "docker:index/image:Image")
	b.endDaemon()
	if output, err := b.preview(t); err == nil {
		t.Errorf("the daemon is still there:\n%s", output)
	}
	if output, err := b.destroy(t); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	if strings.Contains(b.state(t), "docker:index/image:Image") {
		t.Error("the image is still in the state")
	}
}
