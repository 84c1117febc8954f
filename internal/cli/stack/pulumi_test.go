//go:build unix

package stack

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// refuses is a case of the script for cli: the CLI ends with an error as Pulumi words it.
func refuses(arguments, problem string) string {
	return "*'" + arguments + "'*) echo 'error: " + problem + "' >&2; exit 255 ;;\n"
}

// production opens the stack of the project.
func production(t *testing.T, dir string) *Stack {
	t.Helper()
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func TestOutputsLeaveOutTheSecretOnes(t *testing.T) {
	dir := project(t)
	stack := production(t, dir)
	calls := cli(t, dir, "*show-secrets*) echo '{\"verifiedImage\":\"orders:2\",\"token\":\"hunter2\"}' ;;\n"+
		"*'stack output'*) echo '{\"verifiedImage\":\"orders:2\",\"token\":\"[secret]\"}' ;;")
	outputs, err := stack.OutputsOf(t.Context(), "acme/bank/staging")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"verifiedImage": "orders:2"}, outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	for _, call := range calls() {
		if !strings.HasSuffix(call, "--stack acme/bank/staging") {
			t.Errorf("called %q", call)
		}
	}
}

// Set passes paths, never a secret, and removes what is empty only after the rest is set.
func TestSet(t *testing.T) {
	const set, remove = "config set-all --stack production --path --plaintext bake.duration=10m",
		"config rm-all --stack production --path override.reason"
	for name, tt := range map[string]struct {
		values map[string]string
		want   []string
	}{
		"both":    {map[string]string{"bake.duration": "10m", "override.reason": ""}, []string{set, remove}},
		"set":     {map[string]string{"bake.duration": "10m"}, []string{set}},
		"remove":  {map[string]string{"override.reason": ""}, []string{remove}},
		"nothing": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t)
			stack := production(t, dir)
			calls := cli(t, dir, "")
			if err := stack.Set(t.Context(), tt.values); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, configCalls(calls())); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func configCalls(calls []string) []string {
	var changes []string
	for _, call := range calls {
		if strings.HasPrefix(call, "config ") {
			changes = append(changes, call)
		}
	}
	return changes
}

// Every error names the stack and the CLI's own words, without the transcript that the Automation API appends. Nothing
// follows a call that failed.
func TestErrorsOfTheCLI(t *testing.T) {
	week := map[string]string{"week": "2", "image": ""}
	up := func(ctx context.Context, s *Stack) error { return s.Up(ctx, io.Discard, false) }
	for arguments, tt := range map[string]struct {
		do   func(context.Context, *Stack) error
		want string
	}{
		"stack output": {func(ctx context.Context, s *Stack) error {
			_, err := s.OutputsOf(ctx, "staging")
			return err
		}, "read the outputs of stack staging: not logged in"},
		"config --show-secrets": {func(ctx context.Context, s *Stack) error {
			_, err := s.WithSecrets(ctx)
			return err
		}, "read the configuration of stack production: not logged in"},
		"set-all": {func(ctx context.Context, s *Stack) error { return s.Settle(ctx, week, io.Discard) },
			"set the configuration of stack production: not logged in"},
		"rm-all": {func(ctx context.Context, s *Stack) error { return s.Settle(ctx, week, io.Discard) },
			"set the configuration of stack production: not logged in"},
		"stack ls":     {up, "look for stack production: not logged in"},
		"stack select": {up, "look for stack production: not logged in"},
		" up ":         {up, "pulumi up -s production failed: see its output"},
	} {
		t.Run(arguments, func(t *testing.T) {
			dir := project(t)
			stack := production(t, dir)
			calls := cli(t, dir, refuses(arguments, "not logged in"))
			if err := tt.do(t.Context(), stack); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if last := calls()[len(calls())-1]; !strings.Contains(" "+last+" ", arguments) {
				t.Errorf("went on with %q", last)
			}
		})
	}
}

func TestWithoutTheCLI(t *testing.T) {
	stack := production(t, project(t))
	_, outputs := stack.OutputsOf(t.Context(), "staging")
	for name, err := range map[string]error{
		"outputs": outputs,
		"set":     stack.Set(t.Context(), map[string]string{"week": "2"}),
		"up":      stack.Up(t.Context(), io.Discard, false),
		"settle":  stack.Settle(t.Context(), map[string]string{"canaryWeight": "0"}, io.Discard),
	} {
		t.Run(name, func(t *testing.T) { testkit.WantError(t, err, "Pulumi CLI", "install it") })
	}
}

// An update selects its stack. A command without --stack must not act on that one afterwards.
func TestAnUpdateRestoresTheSelection(t *testing.T) {
	for name, tt := range map[string]struct {
		up   string
		fail bool
	}{"done": {"echo updated", false}, "failed": {"echo broken; exit 1", true}} {
		t.Run(name, func(t *testing.T) {
			dir := project(t)
			stack := production(t, dir)
			calls := cli(t, dir, "*'stack ls'*) echo '[{\"name\":\"staging\",\"current\":true}]' ;;\n*' up '*) "+tt.up+" ;;")
			var progress strings.Builder
			if err := stack.Up(t.Context(), &progress, tt.fail); (err != nil) != tt.fail {
				t.Errorf("error %v", err)
			}
			all := calls()
			if last := all[len(all)-1]; last != "stack select --stack staging" {
				t.Errorf("the last call is %q", last)
			}
			at := slices.IndexFunc(all, func(call string) bool { return strings.HasPrefix(call, "up --yes ") })
			if at < 0 || strings.Contains(all[at], "--refresh") != tt.fail ||
				!slices.Contains(all[:at], "stack select --stack production") {
				t.Errorf("calls %q", all)
			}
			if said := strings.TrimPrefix(tt.up, "echo ")[:6]; !strings.Contains(progress.String(), said) {
				t.Errorf("the output %q lacks %q", progress.String(), said)
			}
		})
	}
}

// lockedOnce is a case of the script for cli: the first update finds the stack locked, the next ones do not.
func lockedOnce(dir string) string {
	mark := filepath.Join(dir, "waited")
	return "*' up '*) if [ ! -e '" + mark + "' ]; then : >'" + mark +
		"'; echo 'error: the stack is currently locked by 1 lock(s)' >&2; exit 255; fi ;;\n"
}

const alwaysLocked = "*' up '*) echo 'error: the stack is currently locked by 1 lock(s)' >&2; exit 255 ;;\n"

func TestSettleWaitsForAnotherUpdate(t *testing.T) {
	dir := project(t)
	stack := production(t, dir)
	calls := cli(t, dir, lockedOnce(dir))
	var progress strings.Builder
	err := stack.settle(t.Context(), map[string]string{"canaryWeight": "0"}, &progress, time.Hour, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var updates []string
	for _, call := range calls() {
		if strings.HasPrefix(call, "up ") {
			updates = append(updates, call)
		}
	}
	if len(updates) != 2 || !strings.Contains(updates[1], " --refresh") {
		t.Errorf("updates %q", updates)
	}
	if want := []string{"config set-all --stack production --path --plaintext canaryWeight=0"}; !cmp.Equal(want,
		configCalls(calls())) {
		t.Errorf("the configuration is changed by %q", configCalls(calls()))
	}
	if strings.Count(progress.String(), "waiting for another update of the stack to end\n") != 1 {
		t.Errorf("progress:\n%s", progress.String())
	}
}

func TestSettleWaitsNotForever(t *testing.T) {
	dir := project(t)
	stack := production(t, dir)
	cli(t, dir, alwaysLocked)
	err := stack.settle(t.Context(), nil, io.Discard, 0, time.Hour)
	testkit.WantError(t, err, "pulumi up -s production", "another update of the stack is running",
		"remove its lock: pulumi cancel -s production")
	if !errors.Is(err, ErrLocked) {
		t.Errorf("%T is not ErrLocked", err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	progress := &watched{word: "waiting for another update", then: interrupt}
	err = stack.settle(ctx, nil, progress, time.Hour, time.Hour)
	if !errors.Is(err, ErrLocked) || !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestWithoutTranscript(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain",
		"unable to read config: exit status 255\ncode: 255\nstdout: long\nstderr: error: no stack named 'x' found\n": "no " +
			"stack named 'x' found",
		"unable to read config: signal: killed\ncode: -1\nstdout: \nstderr: \n": "unable to read config: signal: killed",
	} {
		if got := withoutTranscript(errors.New(text)).Error(); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
