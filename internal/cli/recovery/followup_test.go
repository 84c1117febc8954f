package recovery

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestOneLine(t *testing.T) {
	for reason, want := range map[string]string{
		"0 of 900 requests failed": "pass; error rate: 0 of 900 requests failed",
		strings.Repeat("ä", 500):   "pass; error rate: " + strings.Repeat("ä", 182) + "…",
	} {
		text := oneLine(gate.Evaluation{Results: []gate.Result{{Name: "error rate", Verdict: gate.Pass, Reason: reason}}})
		if text != want {
			t.Errorf("%d runes: %s", len([]rune(text)), text)
		}
	}
}

// stepping is a clock whose waits end at once and move it on.
type stepping struct {
	mu sync.Mutex
	at time.Time
}

func (c *stepping) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *stepping) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	ready := make(chan time.Time, 1)
	ready <- c.at
	return ready
}

// The stable track is watched for the time that the operator gives, else for that of the stack, and not at all for 0.
func TestTheLengthOfTheWatch(t *testing.T) {
	for name, tt := range map[string]struct{ given, want time.Duration }{
		"the stack's":    {-1, 20 * time.Minute},
		"the operator's": {2 * time.Minute, 2 * time.Minute},
		"none":           {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o, _, _ := atTen(t)
			o.Rollout = o.Rollout.With(production(t, map[string]string{"guard": `{"watch":"20m"}`}))
			o.Rollout.Clock = &stepping{at: time.Now()}
			o.Rollout.Prometheus = func() (soak.Server, error) { return nil, errors.New("no route to it") }
			var looks []string
			o.Progress = func(text string) {
				if strings.Contains(text, " of "+tt.want.String()+": ") {
					looks = append(looks, text)
				}
			}
			after := o.followUp(Request{}, tt.given)
			if (after.Watch != nil) != (tt.want > 0) {
				t.Fatal("there is a watch, or none, against the request")
			}
			if after.Watch == nil {
				return
			}
			evaluation := after.Watch(t.Context())
			if evaluation.Verdict() != gate.Error || !strings.Contains(evaluation.Reasons(gate.Error), "no route to it") {
				t.Errorf("%s: %s", evaluation.Verdict(), evaluation.Reasons(gate.Error))
			}
			if len(looks) != int(tt.want/watchEvery) {
				t.Errorf("%d looks: %q", len(looks), looks)
			}
		})
	}
}

// After an undo the API server must not keep the fields that the undo wrote from the next update, but only once that
// update has run.
func TestOnlyASettledUndoIsForgotten(t *testing.T) {
	undo := Choice{Option: Undo, Revision: kube.Revision{Number: 1, Image: "shop@" + stableDigest}}
	for name, tt := range map[string]struct {
		choice Choice
		err    error
		want   bool
	}{
		"undo":                 {undo, nil, true},
		"undo without the CLI": {undo, errors.New("no CLI"), false},
		"scale":                {Choice{Option: Scale}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			o, stack, c := atTen(t)
			stack.err = tt.err
			err := o.settle(t.Context(), Request{Canary: Canary{Deployment: "shop-v2"}, Choice: tt.choice})
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v", err)
			}
			if got := slices.Contains(c.Calls(), "patch deployments shop-v2"); got != tt.want {
				t.Errorf("forgotten: %v", got)
			}
			if stack.settled["canaryWeight"] != "0" {
				t.Errorf("settled at %v", stack.settled)
			}
		})
	}
}

func TestASuiteThatCannotRun(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*testing.T, *Operation, *fakeStack)
		want    []string
	}{
		"no secrets": {func(_ *testing.T, _ *Operation, stack *fakeStack) { stack.err = errors.New("no passphrase") },
			[]string{"needs the stack's secrets", "no passphrase"}},
		"no suite": {func(t *testing.T, _ *Operation, stack *fakeStack) {
			smoke := `{"suite":"absent.yaml","tokenFrom":"","originFrom":""}`
			stack.settings = production(t, map[string]string{"smoke": smoke})
		}, []string{"absent.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, stack, c := atTen(t)
			c.HandlePod("shop", "shop-stable", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				t.Error("the suite runs")
			}))
			tt.prepare(t, o, stack)
			o.secrets = fetchSecrets(t.Context(), stack)
			text, verdict, err := o.smokeStable(t.Context(), time.Now())
			if verdict != gate.Error || text != "" {
				t.Errorf("%s: %q", verdict, text)
			}
			testkit.WantError(t, err, tt.want...)
		})
	}
	o, _, c := atTen(t)
	o.secrets = fetchSecrets(t.Context(), o.Stack)
	c.Fail("list", "pods", errors.New("pods may not be listed"))
	if _, verdict, err := o.smokeStable(t.Context(), time.Now()); verdict != gate.Error || err == nil {
		t.Errorf("without pods: %s: %v", verdict, err)
	}
}

// Events are a part of the report that nothing else waits for.
func TestEventsThatMayNotBeRead(t *testing.T) {
	o, _, c := atTen(t)
	c.Fail("list", "events", errors.New("events may not be listed"))
	request, outcome, after := whole()
	after.Events = func(ctx context.Context) ([]string, error) { return o.events(ctx, "shop-v2") }
	report := Run(t.Context(), request, outcomeOf(outcome), after)
	if report.Verdict() != gate.Inconclusive || len(report.Left) != 1 ||
		!strings.Contains(report.Left[0], "kubectl get events -n shop (because: ") ||
		!strings.Contains(report.Left[0], "events may not be listed") {
		t.Errorf("%s, left %q", report.Verdict(), report.Left)
	}
}
