package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/gate"
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
		"Pulumi.yaml": "name: shop\nruntime: go\nconfig:\n  app:\n    type: string\n    default: orders\n  replicas:\n    type: integer\n    default: 20\n" +
			"  soak:\n    type: object\n    default: { duration: 10h, extension: 5h }\n",
		"Pulumi.production.yaml": "config:\n  shop:image: orders:2\n  shop:stableImage: orders:1\n  shop:namespace: orders\n  shop:replicas: \"10\"\n  shop:prometheus: http://prometheus:9090\n" +
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
		got := []any{stack.Name, stack.Project, stack.Dir, stack.Owner(), s.App, s.Replicas, s.Namespace, s.Environment, s.Soak.Duration.String()}
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

func TestOpenRefuses(t *testing.T) {
	dir := project(t)
	tests := []struct {
		name, stack, dir string
		code             int
		words            []string
	}{
		{"unknown stack", "prod", dir, ExitUsage, []string{`no stack "prod"`, "broken, production"}},
		{"a name that is none", "a b", dir, ExitUsage, []string{`"a b"`}},
		{"a path", "../../etc/passwd", dir, ExitUsage, []string{"passwd"}},
		{"no project", "production", filepath.Dir(dir), ExitUsage, []string{"no Pulumi project", "--cwd"}},
		{"no stack named and no CLI", "", dir, ExitUsage, []string{"no stack is named", "--stack"}},
		{"wrong configuration", "broken", dir, ExitFailed, []string{"config nonsense", "no such key", "pulumi config rm nonsense"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{Stack: tt.stack, Dir: tt.dir})
			if ExitCode(err) != tt.code || err == nil {
				t.Errorf("exit code %d of %v", ExitCode(err), err)
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

func TestExitCodes(t *testing.T) {
	for want, errs := range map[int][]error{
		ExitDone:    {nil, OfVerdict(gate.Pass)},
		ExitFailed:  {errors.New("x"), OfVerdict(gate.Fail), ErrDeclined},
		ExitUsage:   {fmt.Errorf("wrapped: %w", Usage(errors.New("x")))},
		ExitUnknown: {OfVerdict(gate.Inconclusive), OfVerdict(gate.Error), fmt.Errorf("wrapped: %w", Unknown(errors.New("x")))},
	} {
		for _, err := range errs {
			if got := ExitCode(err); got != want {
				t.Errorf("%v: exit code %d, want %d", err, got, want)
			}
		}
	}
	if Silent(errors.New("x")) || Silent(Unknown(errors.New("x"))) || !Silent(OfVerdict(gate.Fail)) || !Silent(OfVerdict(gate.Error)) {
		t.Error("what is silent is wrong")
	}
}

func TestConfirm(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	never, _ := io.Pipe()
	tests := []struct {
		name string
		ctx  context.Context
		in   io.Reader
		want error
		code int
	}{
		{"yes", t.Context(), strings.NewReader("yes\n"), nil, ExitDone},
		{"y at the end of the input", t.Context(), strings.NewReader("Y"), nil, ExitDone},
		{"no", t.Context(), strings.NewReader("n\n"), ErrDeclined, ExitFailed},
		{"nothing but return", t.Context(), strings.NewReader("\n"), ErrDeclined, ExitFailed},
		{"interrupted", stopped, never, ErrDeclined, ExitFailed},
		{"nobody there", t.Context(), strings.NewReader(""), nil, ExitUsage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Confirm(tt.ctx, tt.in, &out, "Advance to 30 %?")
			if tt.want != nil && !errors.Is(err, tt.want) || ExitCode(err) != tt.code {
				t.Errorf("%v, exit code %d", err, ExitCode(err))
			}
			if !strings.Contains(out.String(), "Advance to 30 %?") {
				t.Errorf("asked %q", out.String())
			}
		})
	}
}

// answered is a context that has ended, and is asked whether it has only once the answer is there too.
type answered struct {
	context.Context
	given chan struct{}
}

func (a answered) Done() <-chan struct{} {
	<-a.given
	time.Sleep(time.Millisecond) // until the answer was handed over
	return a.Context.Done()
}

// yes is an answer that tells when it was read.
type yes struct{ given chan struct{} }

func (y yes) Read(into []byte) (int, error) {
	close(y.given)
	return copy(into, "yes\n"), nil
}

// Where an answer and a Ctrl-C are both there, which of them is seen is up to chance: the Ctrl-C must count every time.
func TestAnInterruptOverrulesAYes(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for range 50 {
		given := make(chan struct{})
		if err := Confirm(answered{stopped, given}, yes{given}, io.Discard, "Advance to 30 %?"); !errors.Is(err, ErrDeclined) {
			t.Fatalf("an interrupted question was answered: %v", err)
		}
	}
}

func TestOutput(t *testing.T) {
	if _, err := NewOutput("yaml", io.Discard); ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "table, json") {
		t.Errorf("yaml: %v", err)
	}
	value := map[string]string{"reason": "a < b"}
	var written bytes.Buffer
	output, err := NewOutput(FormatJSON, &written)
	if err != nil {
		t.Fatal(err)
	}
	if err := output.Print(value, nil); err != nil {
		t.Fatal(err)
	}
	var read map[string]string
	if err := json.Unmarshal(written.Bytes(), &read); err != nil || read["reason"] != value["reason"] || strings.Contains(written.String(), "u003c") {
		t.Errorf("printed %s: %v", written.String(), err)
	}
	written.Reset()
	output.Format = FormatTable
	text := func(style Style) string {
		return Table([]string{"TRACK", "PODS"}, [][]string{{style.Good("stable"), "9"}, {style.Bad("canary"), "1 of 3"}})
	}
	if err := output.Print(nil, text); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("TRACK   PODS\nstable  9\ncanary  1 of 3\n", written.String()); diff != "" {
		t.Errorf("no terminal, so no colour (-want +got):\n%s", diff)
	}
}
