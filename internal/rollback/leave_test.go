package rollback

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// Stable gains a pod at every look. The endpoints of both tracks together never fall below the number that the canary's
// failures allow, and the canary is gone as soon as they allow it.
func TestPodsLeaveAsStableGainsThem(t *testing.T) {
	tests := []struct {
		name           string
		stable, canary int
		failing        float64
		fewest         int
	}{
		{"1.1 % of errors at 60 %", 4, 6, 0.011, 10},
		{"4.9 % of errors at 100 % with two warm pods", 2, 10, 0.049, 10},
		{"33 % of errors at 60 %", 4, 6, 0.33, 8},
		{"33 % of errors at 100 % without a warm pod", 0, 10, 0.33, 8},
		{"nothing is known of its errors at 60 %", 4, 6, 0, 8},
		{"every other request fails at 60 %", 4, 6, 0.5, 5},
		{"nothing but errors at 100 % without a warm pod", 0, 10, 1, 1},
		{"33 % of errors at 10 %", 9, 1, 0.33, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newSplit(tt.stable, tt.canary)
			w.gains = 1
			set := options()
			set.Failing = tt.failing
			if err := Run(t.Context(), w, w, set).Err(); err != nil {
				t.Fatal(err)
			}
			if w.fewest != tt.fewest {
				t.Errorf("at least %d endpoints, want %d", w.fewest, tt.fewest)
			}
			w.expectOut(t)
		})
	}
}

// The canary holds the room that stable needs: it leaves at once, however mildly it fails, and stable is waited for
// when it is gone.
func TestPodsThatTheClusterRefusesAreNotWaitedFor(t *testing.T) {
	w := newSplit(4, 6)
	w.refused = "FailedCreate: exceeded quota: compute"
	set := options()
	set.Failing = 0.011
	began := time.Now()
	outcome := Run(t.Context(), w, w, set)
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > leastPatience/2 {
		t.Errorf("the canary held stable's room for %v", took)
	}
	if !strings.Contains(outcome.String(), "exceeded quota") {
		t.Errorf("the refusal is not told:\n%s", outcome)
	}
	w.expectOut(t)
}

// The canary is gone before stable is waited for.
func TestStableIsWaitedForLast(t *testing.T) {
	w := newSplit(9, 1)
	w.gains = 1
	if err := Run(t.Context(), w, w, options()).Err(); err != nil {
		t.Fatal(err)
	}
	calls := w.called()
	gone, begun := slices.Index(calls, "scale finance-v2"), slices.Index(calls, "scale finance-stable")
	if begun > slices.Index(calls, "label") || gone < slices.Index(calls, "save") ||
		!slices.Contains(calls[gone:], "growth") {
		t.Errorf("called %v", calls)
	}
}

// A label that the API server or an admission webhook refuses leaves one way out.
func TestACanaryThatCannotBeIsolatedIsRemoved(t *testing.T) {
	w := newWorld()
	w.failing, w.always = "label", true
	outcome := Run(t.Context(), w, w, options())
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	calls := w.called()
	if gone := slices.Index(calls, "scale finance-v2"); gone < 0 || gone > slices.Index(calls, "save") {
		t.Errorf("called %v", calls)
	}
	if _, out := outcome.OutOfTraffic(); !out || !strings.Contains(outcome.String(), "could not be isolated") {
		t.Errorf("the outcome is\n%s", outcome)
	}
	w.expectOut(t)
}

// lagging is a world whose endpoints follow the labels late.
type lagging struct {
	*world
	until time.Time
	looks []time.Duration
	began time.Time
}

func (l *lagging) Endpoints(ctx context.Context, namespace, service string) ([]string, error) {
	l.looks = append(l.looks, time.Since(l.began))
	if time.Now().Before(l.until) {
		return append(l.of("stable"), l.of("canary")...), nil
	}
	return l.world.Endpoints(ctx, namespace, service)
}

// An API server that is slow is not asked again and again: the looks at the endpoints come after 200 ms, 400 ms and so
// on, up to every two seconds.
func TestLooksAtTheEndpointsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		l := &lagging{world: newSplit(9, 1), until: now.Add(9 * time.Second), began: now}
		set := options()
		set.AtOnce = true
		if err := Run(t.Context(), l, l, set).Err(); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{0, 200, 600, 1400, 3000, 5000, 7000, 9000}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(l.looks[:min(len(l.looks), len(want))], want) {
			t.Errorf("looked after %v, want %v", l.looks, want)
		}
		l.expectOut(t)
	})
}

// telling is a lagging world that tells of the change.
type telling struct{ *lagging }

func (w *telling) EndpointsChanged(ctx context.Context, _, _ string) <-chan struct{} {
	changed := make(chan struct{}, 1)
	go func() {
		if sleep(ctx, time.Until(w.until)) {
			changed <- struct{}{}
		}
	}()
	return changed
}

// A change of the endpoints is looked at when it comes, and not at the next look.
func TestAChangeOfTheEndpointsIsLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		w := &telling{&lagging{world: newSplit(9, 1), until: now.Add(3500 * time.Millisecond), began: now}}
		set := options()
		set.AtOnce = true
		if err := Run(t.Context(), w, w, set).Err(); err != nil {
			t.Fatal(err)
		}
		if len(w.looks) < 6 || w.looks[5] != 3550*time.Millisecond {
			t.Errorf("looked after %v, want one after 3.55s", w.looks)
		}
		w.expectOut(t)
	})
}

// picky is a world whose API server refuses to label some pods.
type picky struct {
	*world
	refused string
}

func (p *picky) LabelPods(ctx context.Context, namespace string, selector map[string]string, key, value string) (
	[]string, error) {
	p.mu.Lock()
	kept := p.pods[p.refused]
	delete(p.pods, p.refused)
	p.mu.Unlock()
	changed, err := p.world.LabelPods(ctx, namespace, selector, key, value)
	if kept == nil {
		return changed, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pods[p.refused] = kept
	return changed, errTest
}

func (p *picky) LabelPod(ctx context.Context, namespace, pod, key, value string) error {
	if pod == p.refused {
		return errTest
	}
	return p.world.LabelPod(ctx, namespace, pod, key, value)
}

// One pod that cannot be isolated is enough: it leaves before the evidence, and its preStop hook keeps no connection of
// a canary that fails badly.
func TestOnePodThatCannotBeIsolatedIsRemoved(t *testing.T) {
	for _, failing := range []float64{0.011, 0.33, 1} {
		p := &picky{newSplit(4, 6), "canary-3"}
		p.gains = 2
		set := options()
		set.Failing = failing
		outcome := Run(t.Context(), p, p, set)
		if err := outcome.Err(); err != nil {
			t.Fatal(err)
		}
		calls := p.called()
		gone, ended := slices.Index(calls, "scale finance-v2"), slices.Index(calls, "end pods")
		if gone < 0 || gone > slices.Index(calls, "save") || (failing >= mild) != (ended >= 0 && ended < gone) {
			t.Errorf("%v fail: called %v", failing, calls)
		}
		if _, out := outcome.OutOfTraffic(); !out || !strings.Contains(outcome.String(), "could not be isolated") {
			t.Errorf("%v fail: the outcome is\n%s", failing, outcome)
		}
		p.expectOut(t)
	}
}

// undone is a world in which an autoscaler, or an update that had passed its last look, undoes the rollback's scaling.
type undone struct {
	*world
	deployment string
	to, times  int
}

func (u *undone) Growth(ctx context.Context, namespace, deployment string) (podstate.Growth, error) {
	if deployment == u.deployment && u.scaled["finance-v2"] == 0 && u.times > 0 {
		u.times--
		u.mu.Lock()
		if u.scaled[deployment] = u.to; deployment == "finance-stable" {
			u.live = u.to
		} else {
			u.pods["canary-late"] = map[string]string{"track": "canary", "traffic": "enabled"}
		}
		u.mu.Unlock()
	}
	return u.world.Growth(ctx, namespace, deployment)
}

func TestScalesThatAreUndoneAreAskedForAgain(t *testing.T) {
	for _, u := range []*undone{
		{newSplit(4, 6), "finance-stable", 4, 2},
		{newSplit(4, 6), "finance-v2", 6, 2},
	} {
		if err := Run(t.Context(), u, u, options()).Err(); err != nil {
			t.Errorf("%s: %v", u.deployment, err)
		}
		u.expectOut(t)
	}
}

// A pod that appears while the evidence is collected gets no requests for long.
func TestAPodThatAppearsIsIsolated(t *testing.T) {
	w := newWorld()
	w.on = func(name string) {
		if name != "save" {
			return
		}
		w.mu.Lock()
		w.pods["canary-new"] = map[string]string{"track": "canary", "traffic": "enabled"}
		w.mu.Unlock()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			w.mu.Lock()
			traffic := w.pods["canary-new"]["traffic"]
			w.mu.Unlock()
			if traffic == "isolated" {
				return
			}
		}
		t.Error("a new pod gets requests while the evidence is saved")
	}
	if err := Run(t.Context(), w, w, options()).Err(); err != nil {
		t.Fatal(err)
	}
	w.expectOut(t)
}

// The waits follow the probes of stable, within bounds.
func TestWaitsFollowTheProbes(t *testing.T) {
	for _, tt := range []struct {
		name              string
		growth            podstate.Growth
		patience, restore time.Duration
	}{
		{"none are known", podstate.Growth{}, 15 * time.Second, time.Minute},
		{"the guide's", podstate.Growth{Soonest: 25 * time.Second, Latest: 28 * time.Second}, time.Minute, time.Minute},
		{"a startup probe of five minutes", podstate.Growth{Soonest: 5 * time.Second, Latest: 308 * time.Second},
			20 * time.Second, 318 * time.Second},
		{"an hour", podstate.Growth{Soonest: time.Hour, Latest: time.Hour}, 2 * time.Minute, 6 * time.Minute},
	} {
		r := &run{stable: tt.growth}
		if r.patience() != tt.patience || r.restoreLimit() != tt.restore {
			t.Errorf("%s: %v and %v, want %v and %v", tt.name, r.patience(), r.restoreLimit(), tt.patience, tt.restore)
		}
	}
}

// hanging is a world in which the node of one pod does not answer.
type hanging struct{ *world }

func (h *hanging) Logs(ctx context.Context, namespace, pod, container string, previous bool, tail int64) (string,
	error) {
	if pod == "canary-0" {
		<-ctx.Done()
		return "", ctx.Err()
	}
	return h.world.Logs(ctx, namespace, pod, container, previous, tail)
}

func TestANodeThatHangsCostsItsOwnLogsAlone(t *testing.T) {
	h := &hanging{newWorld()}
	h.log = "panic: nil pointer"
	outcome := Run(t.Context(), h, h, options())
	evidence, err := Unpack(h.evidence)
	if err != nil || len(evidence.Pods) != 3 || outcome.Evidence == "" {
		t.Fatalf("%+v, %v\n%s", evidence, err, outcome)
	}
	for _, pod := range evidence.Pods {
		if got := strings.Contains(pod.Logs["app"], "nil pointer"); got != (pod.Name != "canary-0") {
			t.Errorf("%s: its log is there: %v", pod.Name, got)
		}
	}
	if len(evidence.Missing) != 2 || !strings.Contains(evidence.Missing[0], "log of canary-0") ||
		!strings.Contains(evidence.Missing[0], "not read within 3s") {
		t.Errorf("missing %q", evidence.Missing)
	}
}

// stuck is a world that answers nothing about pods or events.
type stuck struct{ *world }

func (s *stuck) Logs(ctx context.Context, _, _, _ string, _ bool, _ int64) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func (s *stuck) EventTexts(ctx context.Context, _, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *stuck) SaveEvidence(ctx context.Context, namespace, name, app string, archive []byte, keep int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.world.SaveEvidence(ctx, namespace, name, app, archive, keep)
}

func TestEvidenceIsSavedWhateverCame(t *testing.T) {
	s := &stuck{newWorld()}
	for i := range 20 {
		s.pods["canary-x"+string(rune('a'+i))] = map[string]string{"track": "canary", "traffic": "enabled"}
	}
	outcome := Run(t.Context(), s, s, options())
	evidence, err := Unpack(s.evidence)
	if err != nil || len(evidence.Pods) != mostPods || evidence.Pods[0].Images == nil {
		t.Fatalf("%d pods, %v\n%s", len(evidence.Pods), err, outcome)
	}
	if !strings.Contains(strings.Join(evidence.Missing, "\n"), "events: ") {
		t.Errorf("missing %q", evidence.Missing)
	}
}

// Events that do not fit make way for the newest, and the pods stay.
func TestEventsThatDoNotFitAreShortened(t *testing.T) {
	e := Evidence{Reason: "bad"}
	state := uint32(1)
	for range mostEvents {
		var text strings.Builder
		for text.Len() < 6000 {
			state = state*1664525 + 1013904223
			for at := state; at > 1000; at /= 26 {
				text.WriteByte("abcdefghijklmnopqrstuvwxyz"[(at>>5)%26])
			}
			text.WriteByte(' ')
		}
		e.Events = append(e.Events, text.String())
	}
	last := e.Events[mostEvents-1]
	e.Pods = []PodEvidence{podWith("exit"), podWith("exit")}
	got := packed(t, e)
	if len(got.Pods) != 2 || len(got.Events) == 0 || len(got.Events) >= mostEvents ||
		got.Events[len(got.Events)-1] != last {
		t.Errorf("%d pods, %d events", len(got.Pods), len(got.Events))
	}
}
