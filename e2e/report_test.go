//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Colours of the tracks in the page's light scheme.
var (
	canaryColor = color.RGBA{0xc2, 0x41, 0x0c, 0xff}
	stableColor = color.RGBA{0x1d, 0x62, 0xa8, 0xff}
)

const (
	reportStack   = "e2e"
	reportRelease = "broken-errors"
	reportOwner   = "finance-rollout/" + reportStack
)

// commands runs the rollout command against the namespace of the situations. Its stack is only a file; its canary is
// the Deployment that answers with errors, its stable track the healthy one. The other parts of TestDiagnose use the
// packages below the command.
func commands(t *testing.T, b *broken, root, image string) {
	cli := &command{dir: project(t, root, image), binary: filepath.Join(t.TempDir(), "rollout")}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", cli.binary, "./cmd/rollout")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, output)
	}
	digest := image[strings.Index(image, "@")+1:]
	store := ledger.InConfigMap{Cluster: b.product, Namespace: diagnoseNamespace, Name: diagnoseApp + "-ledger"}
	// The release owns the requests of the last minute.
	began := time.Now().Add(-window)
	_, err := ledger.Write(t.Context(), store, func() time.Time { return began },
		ledger.Entry{Kind: ledger.ShiftBegun, Who: "e2e", Release: reportRelease, Image: digest, Stable: digest, To: 10},
		ledger.Entry{Kind: ledger.ShiftReached, Who: "e2e", Release: reportRelease, Image: digest, Stable: digest, To: 10},
		ledger.Entry{Kind: ledger.Attested, Who: "e2e", Name: "security-audit",
			Link: "<script>document.title='run'</script>"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = ledger.Write(t.Context(), store, time.Now,
		ledger.Entry{Kind: ledger.Checkpoint, Who: "e2e", Release: reportRelease, Image: digest, From: 10, To: 10,
			Verdict: "inconclusive", Soaked: 60,
			Numbers: []ledger.Number{{Name: "error rate", Verdict: "inconclusive", N: 480, K: 144, Lower: 0.2, Upper: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("diagnose", func(t *testing.T) { diagnoseCommand(t, cli) })
	t.Run("report", func(t *testing.T) { reportCommand(t, cli) })
	t.Run("preflight", func(t *testing.T) { preflightCommand(t, cli) })
}

// command is the rollout command in a project's folder.
type command struct{ dir, binary string }

func (c *command) run(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.binary, append(args, "--stack", reportStack, "--cwd", c.dir)...)
	var printed, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &problems
	err := cmd.Run()
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case failed:
		code = exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	if problems.Len() > 0 {
		t.Logf("%s: %s", args[0], problems.String())
	}
	return printed.String(), code
}

// project writes a Pulumi project with a stack for the namespace of the situations and returns its folder. Nobody can
// decrypt its secrets.
func project(t *testing.T, root, image string) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const hidden = "{secure: \"v1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"
	stack := fmt.Sprintf(`encryptionsalt: v1:AAAAAAAAAAA=:v1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==
config:
  finance-rollout:namespace: %s
  finance-rollout:release: %s
  finance-rollout:image: %s
  finance-rollout:stableImage: %s
  finance-rollout:kubeconfig: %s
  finance-rollout:prometheus: monitoring/prometheus-operated:9090
  finance-rollout:staging: {required: false}
  finance-rollout:monitoring: {enabled: false}
  finance-rollout:metrics: {interval: 2s, selector: {path: /graphql}}
  finance-rollout:criteria: {errorRate: 0.01, rollbackErrorRate: 0.02}
  finance-rollout:secrets:
    finance-db: {host: %[6]s, username: %[6]s, password: %[6]s}
    finance-secrets: {jwt-secret: %[6]s, eventstore-connection: %[6]s, cors-origin: %[6]s}
`, diagnoseNamespace, reportRelease, image, image, os.Getenv("KUBECONFIG"), hidden)
	for name, text := range map[string]string{"Pulumi.yaml": string(raw), "Pulumi." + reportStack + ".yaml": stack} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func diagnoseCommand(t *testing.T, cli *command) {
	output, code := cli.run(t, "diagnose", "--window", "1m", "--output", "json")
	var diagnosis diagnose.Diagnosis
	if err := json.Unmarshal([]byte(output), &diagnosis); err != nil || code != 1 {
		t.Fatalf("exit code %d, %v\n%s", code, err, output)
	}
	// The canary's Deployment is named after the release, and no such Deployment exists.
	if len(diagnosis.Findings) == 0 || diagnosis.Findings[0].Cause != diagnose.CauseNoDeployment ||
		diagnosis.Findings[0].Workload != diagnoseApp+"-"+reportRelease {
		t.Errorf("%s", diagnosis)
	}
}

// reportCommand opens the HTML report in a browser.
func reportCommand(t *testing.T, cli *command) {
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatal("chromium is missing: run `.local/bin/local packages`, or apt-get install chromium")
	}
	dir := t.TempDir()
	page := filepath.Join(dir, "report.html")
	// A line needs two points, and so a rollout that is older than the distance between two points.
	eventually(t, "the charts have lines", func() bool {
		if output, code := cli.run(t, "report", "--html", "--file", page); code != 0 {
			t.Fatalf("exit code %d\n%s", code, output)
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(text, []byte("<polyline")) >= 6
	})
	markdown, code := cli.run(t, "report")
	for _, word := range []string{"# Deployment log: finance-service " + strings.ReplaceAll(reportRelease, "_", `\_`),
		"At 10 % since", "| error rate | inconclusive | 144 | 480 | 30 % |", "| Error rate | canary | "} {
		if code != 0 || !strings.Contains(markdown, word) {
			t.Errorf("exit code %d, and the report does not say %q:\n%s", code, word, markdown)
		}
	}
	dom, err := exec.CommandContext(t.Context(), "chromium", browser(dir, "--dump-dom", "file://"+page)...).Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	root, err := html.Parse(bytes.NewReader(dom))
	if err != nil {
		t.Fatal(err)
	}
	count, title := map[string]int{}, ""
	for node := range root.Descendants() {
		if node.Type == html.ElementNode {
			count[node.Data]++
			if node.Data == "title" && title == "" && node.FirstChild != nil {
				title = node.FirstChild.Data
			}
		}
	}
	if count["svg"] != 3 || count["polyline"] < 6 || count["script"] != 0 || !strings.HasPrefix(title, "Deployment log") {
		t.Errorf("the browser's page: %v, title %q", count, title)
	}
	drawn(t, dir, page)
}

// browser returns the arguments of a headless browser that only writes into the folder and has no network.
func browser(dir string, args ...string) []string {
	return append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" +
		filepath.Join(dir, "profile"),
		"--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1000,1800"}, args...)
}

// drawn takes a screenshot and searches it for the lines of both tracks.
func drawn(t *testing.T, dir, page string) {
	t.Helper()
	picture := filepath.Join(dir, "page.png")
	if output, err := exec.CommandContext(t.Context(), "chromium",
		browser(dir, "--screenshot="+picture, "file://"+page)...).CombinedOutput(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, output)
	}
	file, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	image, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[color.RGBA]int{}
	for y := range image.Bounds().Dy() {
		for x := range image.Bounds().Dx() {
			r, g, b, _ := image.At(x, y).RGBA()
			seen[color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0xff}]++ //nolint:gosec // of 16 bits, 8 are left
		}
	}
	// The legends alone have some 60 pixels of each colour in each of the three charts.
	if seen[canaryColor] < 300 || seen[stableColor] < 300 {
		t.Errorf("%d pixels of the canary's lines, %d of stable's", seen[canaryColor], seen[stableColor])
	}
}

func preflightCommand(t *testing.T, cli *command) {
	output, code := cli.run(t, "preflight", "--output", "json")
	var list preflight.Checklist
	if err := json.Unmarshal([]byte(output), &list); err != nil || code != 1 {
		t.Fatalf("exit code %d, %v\n%s", code, err, output)
	}
	states := map[string]preflight.State{}
	for _, row := range list.Rows {
		states[row.Name] = row.State
		if row.Found == "" || (row.State == preflight.Failed) && row.Fix == "" {
			t.Errorf("%+v says too little", row)
		}
	}
	for name, want := range map[string]preflight.State{
		"cluster": preflight.OK, "permissions": preflight.OK, "namespace": preflight.OK, "image": preflight.OK,
		"stable image":          preflight.OK,
		"secret finance-db-e2e": preflight.OK, "secret finance-secrets-e2e": preflight.Failed, "prometheus": preflight.OK,
		"rules":   preflight.Skipped,
		"metrics": preflight.OK, "alertmanager": preflight.OK, "grafana": preflight.Skipped,
		"otlp endpoint": preflight.Failed, "staging": preflight.Skipped,
		"latch": preflight.OK, "stable version": preflight.OK, "security audit": preflight.OK, "sign-off": preflight.Failed,
		"rollback rehearsal": preflight.Failed,
	} {
		if states[name] != want {
			t.Errorf("%s is %q, want %q", name, states[name], want)
		}
	}
	if strings.Contains(output, diagnoseKey) || strings.Contains(output, databasePassword(t)) {
		t.Error("the checklist shows a secret")
	}
}
