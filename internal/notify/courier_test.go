package notify

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestTheEventsArriveSignedAndInTheirOrder(t *testing.T) {
	first, second := newReceiver(t), newReceiver(t)
	d := open(t, &configMaps{}, Webhook{URL: first.URL}, Webhook{URL: second.URL, Events: []string{names.EventRolledBack}})
	kept := &recent{t: t}
	d.Follow(kept.write(entered()))
	d.Follow(kept.write(checkpoint(48, "pass")))
	d.Follow(kept.write(begun(), rolledBack("errors")))
	wantNames(t, first, names.EventEntered, names.EventSoakPassed, names.EventRolledBack)
	wantNames(t, second, names.EventRolledBack)
	// The receiver has an event before its sender knows.
	eventually(t, func() bool { return len(d.outcomes(Sent)) == 4 })
}

func TestAFailingReceiverIsTriedAgainAndNothingOvertakes(t *testing.T) {
	r := newReceiver(t, 500, 503, 429, 200, 502)
	d := open(t, &configMaps{}, Webhook{URL: r.URL})
	d.Follow((&recent{t: t}).write(entered(), checkpoint(48, "pass"), begun(), rolledBack("errors")))
	wantNames(t, r, names.EventEntered, names.EventSoakPassed, names.EventRolledBack)
	if retried := d.outcomes(Retried); len(retried) != 4 {
		t.Errorf("%d are reported as retried", len(retried))
	}
}

func TestAReceiverThatIsAwayIsTriedAgain(t *testing.T) {
	r := newReceiver(t)
	address := r.URL
	r.Close()
	d := open(t, &configMaps{}, Webhook{URL: address + "/token-in-a-path"})
	d.Follow((&recent{t: t}).write(entered()))
	eventually(t, func() bool { return len(d.outcomes(Retried)) >= 3 })
	for _, report := range d.outcomes(Retried) {
		if strings.Contains(report.Err.Error(), "token-in-a-path") || !strings.Contains(report.Err.Error(), "127.0.0.1") {
			t.Errorf("the error names more or less than the host: %v", report.Err)
		}
	}
}

func TestARefusalIsFinalAndTheNextEventFollows(t *testing.T) {
	for _, status := range []int{400, 401, 404, 301} {
		r := newReceiver(t, status)
		d := open(t, &configMaps{}, Webhook{URL: r.URL})
		d.Follow((&recent{t: t}).write(entered(), checkpoint(48, "pass")))
		wantNames(t, r, names.EventSoakPassed)
		refused := d.outcomes(Refused)
		if len(refused) != 1 || len(d.outcomes(Retried)) != 0 {
			t.Fatalf("status %d: refused %v, retried %v", status, refused, d.outcomes(Retried))
		}
		testkit.WantError(t, refused[0].Err, "127.0.0.1", strconv.Itoa(status))
		d.stop()
	}
}

func TestTheReceiversPauseIsKept(t *testing.T) {
	r := newReceiver(t, 429)
	r.header.Set("Retry-After", "1")
	d := open(t, &configMaps{}, Webhook{URL: r.URL})
	began := time.Now()
	d.Follow((&recent{t: t}).write(entered()))
	wantNames(t, r, names.EventEntered)
	if took := time.Since(began); took < time.Second {
		t.Errorf("it tried again after %s", took)
	}
	for text, want := range map[string]time.Duration{"": 0, "soon": 0, "-1": 0, "7": 7 * time.Second,
		"86400": longestPause} {
		if got := pause(http.Header{"Retry-After": {text}}); got != want {
			t.Errorf("Retry-After %q: %s, want %s", text, got, want)
		}
	}
}

func TestAHangingReceiverHoldsUpNobody(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(release) })
	r := newReceiver(t)
	d := open(t, &configMaps{}, Webhook{URL: hanging.URL}, Webhook{URL: r.URL})
	kept := &recent{t: t}
	d.Follow(kept.write(entered()))
	wantNames(t, r, names.EventEntered)
	// The queue of states is bounded, and handing over never waits.
	for i := range mostStates + 10 {
		d.Tell(State{Name: names.EventNeedsReview, At: time.Now(), Key: strconv.Itoa(i)})
	}
	d.Tell(State{Name: names.EventGuardBlind, At: time.Now()})
	eventually(t, func() bool { return slices.Contains(r.names(), names.EventGuardBlind) })
	dropped := slices.DeleteFunc(d.outcomes(Dropped), func(report Report) bool {
		return report.Host != strings.TrimPrefix(hanging.URL, "http://")
	})
	if len(dropped) != 11 {
		t.Errorf("%d are dropped", len(dropped))
	}
	d.stop() // it ends although a request hangs
}

func TestACourierThatStartsAgainGoesOnFromItsCursor(t *testing.T) {
	r, cluster, kept := newReceiver(t), &configMaps{}, &recent{t: t}
	d := open(t, cluster, Webhook{URL: r.URL})
	d.Follow(kept.write(entered()))
	wantNames(t, r, names.EventEntered)
	eventually(t, func() bool { data, _, _ := cluster.ConfigMap(t.Context(), "", ""); return len(data) == 1 })
	d.stop()
	kept.write(checkpoint(48, "pass"))
	all := kept.write(begun(), rolledBack("errors"))
	d = open(t, cluster, Webhook{URL: r.URL})
	d.Follow(all)
	wantNames(t, r, names.EventEntered, names.EventSoakPassed, names.EventRolledBack)
	r.mu.Lock()
	doubles := r.doubles
	r.mu.Unlock()
	if doubles > 0 {
		t.Errorf("%d came twice", doubles)
	}
	data, _, err := cluster.ConfigMap(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range data {
		if strings.Contains(name+text, "127.0.0.1") || strings.Contains(name+text, key) {
			t.Errorf("the cursor %s holds %s", name, text)
		}
	}
}

// A guard that dies between a delivery and its cursor sends again, under the same id.
func TestWhatComesTwiceHasTheSameID(t *testing.T) {
	r, cluster, kept := newReceiver(t), &configMaps{}, &recent{t: t}
	d := open(t, cluster, Webhook{URL: r.URL})
	eventually(t, func() bool { data, _, _ := cluster.ConfigMap(t.Context(), "", ""); return len(data) == 1 })
	cluster.mu.Lock()
	cluster.failing = 100
	cluster.mu.Unlock()
	all := kept.write(entered())
	d.Follow(all)
	eventually(t, func() bool { return len(d.outcomes("")) > 0 })
	d.stop()
	cluster.mu.Lock()
	cluster.failing = 0
	cluster.mu.Unlock()
	d = open(t, cluster, Webhook{URL: r.URL})
	d.Follow(all)
	eventually(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.doubles == 1 })
	wantNames(t, r, names.EventEntered)
}

func TestANewWebhookIsToldOfTheUpdateThatBroughtIt(t *testing.T) {
	r, kept := newReceiver(t), &recent{t: t}
	kept.Write(t, time.Now().Add(-48*time.Hour), entered())
	kept.Write(t, time.Now().Add(-5*time.Minute), checkpoint(48, "pass"))
	d := open(t, &configMaps{}, Webhook{URL: r.URL})
	d.Follow(kept.write(begun(), rolledBack("errors")))
	wantNames(t, r, names.EventSoakPassed, names.EventRolledBack)
}

func TestALedgerThatBeganAnewIsFollowed(t *testing.T) {
	r, cluster := newReceiver(t), &configMaps{}
	d := open(t, cluster, Webhook{URL: r.URL})
	old := (&recent{t: t}).write(entered(), checkpoint(48, "pass"))
	d.Follow(old)
	wantNames(t, r, names.EventEntered, names.EventSoakPassed)
	time.Sleep(5 * time.Millisecond) // the entries have times of whole milliseconds
	d.Follow((&recent{t: t}).write(ledger.Entry{Kind: ledger.Attested, Name: "sign-off"}))
	wantNames(t, r, names.EventEntered, names.EventSoakPassed, names.EventAttested)
}

func TestTheCursorsOfWebhooksThatAreGoneAreDropped(t *testing.T) {
	cluster := &configMaps{data: map[string]string{"webhook-gone": "{}"}, version: 1}
	r := newReceiver(t)
	open(t, cluster, Webhook{URL: r.URL})
	eventually(t, func() bool {
		data, _, _ := cluster.ConfigMap(t.Context(), "", "")
		return slices.Equal(slices.Collect(maps.Keys(data)), []string{cursorName(r.URL)})
	})
}

func TestNobodyIsToldWithoutAWebhook(t *testing.T) {
	var none *Courier
	none.Follow(nil)
	none.Tell(State{})
	none.Run(t.Context())
}
