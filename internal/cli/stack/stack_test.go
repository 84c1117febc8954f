package stack

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const secretText = "v1:AAAA:not-decrypted"

// project makes a project with one stack whose secrets nobody can decrypt.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("PULUMI_STACK", "")
	t.Setenv("PULUMI_OPTION_CWD", "")
	t.Setenv("PATH", dir) // no Pulumi CLI
	files := map[string]string{
		"Pulumi.yaml": "name: shop\nruntime: go\nconfig:\n  app:\n    type: string\n    default: orders\n  replicas:\n    " +
			"type: integer\n    default: 20\n" +
			"  soak:\n    type: object\n    default: { duration: 10h, extension: 5h }\n",
		"Pulumi.production.yaml": "config:\n  shop:image: orders:2\n  shop:stableImage: orders:1\n  shop:namespace: " +
			"orders\n  shop:replicas: \"10\"\n  shop:prometheus: http://prometheus:9090\n" +
			"  shop:secretEnv: { PASSWORD: db/password }\n  shop:smoke: { tokenFrom: \"\", originFrom: \"\" }\n" +
			"  shop:secrets:\n    db:\n      password:\n        secure: " + secretText + "\n  aws:region: eu-west-1\n",
		"Pulumi.broken.yaml": "config:\n  shop:image: orders:2\n  shop:nonsense: 1\n",
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpenNeedsNothingButTheFiles(t *testing.T) {
	dir := project(t)
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"production", "acme/shop/production"} {
		stack, err := Open(t.Context(), Options{Stack: name, Dir: below})
		if err != nil {
			t.Fatal(err)
		}
		s := stack.Settings
		got := []any{stack.Name, stack.Project, stack.Dir, stack.Owner(), s.App, s.Replicas, s.Namespace, s.Environment,
			s.Soak.Duration.String()}
		want := []any{"production", "shop", dir, "shop/production", "orders", 10, "orders", "production", "10h"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if secret := s.Secrets["db"]["password"].Reveal(); secret == "" || strings.Contains(secret, secretText) {
			t.Errorf("the secret's mark is %q", secret)
		}
	}
	if diff := cmp.Diff([]string{"broken", "production"}, Stacks(dir)); diff != "" {
		t.Error(diff)
	}
}

// Without the Pulumi CLI nothing decrypts the credentials: nothing is sent in their place.
func TestALoginIsDecryptedWhenItIsNeeded(t *testing.T) {
	dir := project(t)
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked++
		if got := r.Header.Get("X-Scope-OrgID"); got != "payments" {
			t.Errorf("tenant %q", got)
		}
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(dir, "Pulumi.production.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ auth, want string }{
		"no login":              {"{}", ""},
		"a tenant":              {"{ http_headers: { X-Scope-OrgID: { values: [payments] } } }", ""},
		"an encrypted password": {"{ basic_auth: { username: ann, password: db/password } }", "prometheusAuth"},
	} {
		text := strings.Replace(string(before), "http://prometheus:9090", server.URL, 1) +
			"  shop:prometheusAuth: " + tt.auth + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		login := stack.PrometheusLogin()
		if (login == nil) != (name == "no login") {
			t.Errorf("%s: login %v", name, login)
		}
		if login == nil {
			continue
		}
		client, address, err := endpoint.Way{Login: login}.Client(stack.Settings.Prometheus)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Get(address)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			_ = answer.Body.Close()
			continue
		}
		testkit.WantError(t, err, "decrypt the secrets of config "+tt.want, "Pulumi CLI")
	}
	if asked != 1 {
		t.Errorf("%d requests", asked)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := project(t)
	tests := []struct {
		name, stack, dir string
		code             int
		words            []string
	}{
		{"unknown stack", "prod", dir, terminal.ExitUsage, []string{`no stack "prod"`, "broken, production"}},
		{"a name that is none", "a b", dir, terminal.ExitUsage, []string{`"a b"`}},
		{"a path", "../../etc/passwd", dir, terminal.ExitUsage, []string{"passwd"}},
		{"no project", "production", filepath.Dir(dir), terminal.ExitUsage, []string{"no Pulumi project", "--cwd"}},
		{"no stack named and no CLI", "", dir, terminal.ExitUsage, []string{"no stack is named", "--stack"}},
		{"wrong configuration", "broken", dir, terminal.ExitFailed,
			[]string{"config nonsense", "no such key", "pulumi config rm nonsense"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{Stack: tt.stack, Dir: tt.dir})
			if terminal.ExitCode(err) != tt.code || err == nil {
				t.Errorf("exit code %d of %v", terminal.ExitCode(err), err)
			}
			for _, word := range tt.words {
				if !strings.Contains(fmt.Sprint(err), word) {
					t.Errorf("%v does not name %q", err, word)
				}
			}
		})
	}
}

func TestSecretsNeedTheCLI(t *testing.T) {
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: project(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stack.WithSecrets(t.Context()); err == nil || !strings.Contains(err.Error(), "Pulumi CLI") {
		t.Errorf("without the CLI: %v", err)
	}
}

// YAML reads a date without quotes as a time, and Pulumi hands it on as Go prints it. The freeze lasts the whole day.
func TestAFreezeByDatesWithoutQuotes(t *testing.T) {
	dir := project(t)
	file := filepath.Join(dir, "Pulumi.production.yaml")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	calendar := "  shop:calendar:\n    timeZone: Europe/Berlin\n    days: [Mon, Tue]\n    hours: 09:00-16:00\n" +
		"    freezes:\n" +
		"      - { from: 2026-12-18, to: 2027-01-03, reason: year end }\n" +
		"      - { from: \"2026-11-26\", to: 2026-11-27T06:00:00+01:00, reason: Black Friday }\n"
	if err := os.WriteFile(file, append(content, calendar...), 0o600); err != nil {
		t.Fatal(err)
	}
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, freeze := range stack.Settings.OpenHours().Freezes {
		got = append(got, freeze.From.UTC().Format(time.RFC3339)+" "+freeze.To.UTC().Format(time.RFC3339))
	}
	want := []string{"2026-12-17T23:00:00Z 2027-01-03T23:00:00Z", "2026-11-25T23:00:00Z 2026-11-27T05:00:00Z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
