package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

const key = "a-key-of-the-receiver"

func body(t *testing.T, event Event) []byte {
	t.Helper()
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// receiver takes events as a relay does: it checks the signature and drops ids that it knows.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu sync.Mutex
	// answers are the statuses of the next requests; 200 when there are none left.
	answers []int
	header  http.Header
	events  []Event
	ids     map[string]bool
	doubles int
	tries   int
}

func newReceiver(t *testing.T, answers ...int) *receiver {
	t.Helper()
	r := &receiver{t: t, answers: answers, ids: map[string]bool{}, header: http.Header{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) receive(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	raw, err := io.ReadAll(request.Body)
	if err != nil {
		r.t.Error(err)
	}
	if err := Verify([]byte(key), request.Header, raw, time.Now(), time.Minute); err != nil {
		r.t.Errorf("%v of %s", err, raw)
	}
	if kind := request.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/cloudevents+json") {
		r.t.Errorf("content type %q", kind)
	}
	r.tries++
	if len(r.answers) > 0 {
		status := r.answers[0]
		if r.answers = r.answers[1:]; status != http.StatusOK {
			maps.Copy(w.Header(), r.header)
			w.WriteHeader(status)
			return
		}
	}
	var event Event
	if err := json.Unmarshal(raw, &event); err != nil {
		r.t.Errorf("%v in %s", err, raw)
	}
	if r.ids[event.ID] {
		r.doubles++
		return
	}
	r.ids[event.ID] = true
	r.events = append(r.events, event)
}

func (r *receiver) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []string{}
	for _, event := range r.events {
		list = append(list, event.Name())
	}
	return list
}

// configMaps is a cluster that keeps one ConfigMap.
type configMaps struct {
	mu      sync.Mutex
	data    map[string]string
	version int
	failing int // how many writes fail
}

func (c *configMaps) ConfigMap(context.Context, string, string) (data map[string]string, version string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == 0 {
		return nil, "", nil
	}
	return maps.Clone(c.data), strconv.Itoa(c.version), nil
}

func (c *configMaps) SwapCursors(_ context.Context, _, _ string, data map[string]string, version string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing > 0 {
		c.failing--
		return kube.ErrConflict
	}
	if c.version > 0 && version != strconv.Itoa(c.version) {
		return kube.ErrConflict
	}
	c.data, c.version = maps.Clone(data), c.version+1
	return nil
}

// desk is a courier at work with what it reported.
type desk struct {
	*Courier
	stop func()

	mu      sync.Mutex
	reports []Report
}

func (d *desk) outcomes(outcome string) []Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []Report
	for _, report := range d.reports {
		if report.Outcome == outcome {
			list = append(list, report)
		}
	}
	return list
}

func open(t *testing.T, cluster Cluster, webhooks ...Webhook) *desk {
	t.Helper()
	d := &desk{}
	d.Courier = NewCourier(Options{
		About: about(), Webhooks: webhooks, Cluster: cluster, Name: "finance-service-notified", First: time.Millisecond,
		Sender: Sender{Now: time.Now, Key: func(context.Context, string) ([]byte, error) { return []byte(key), nil }},
		Report: func(report Report) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.reports = append(d.reports, report)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	d.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(d.stop)
	return d
}

// eventually waits for what must come; how long it takes decides nothing.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never comes")
		}
	}
}

func wantNames(t *testing.T, r *receiver, want ...string) {
	t.Helper()
	eventually(t, func() bool { return len(r.names()) >= len(want) })
	if diff := cmp.Diff(want, r.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// recent is a ledger in memory whose entries are written now.
type recent struct {
	store.Memory
	t *testing.T
}

func (r *recent) write(entries ...ledger.Entry) *ledger.Ledger {
	r.t.Helper()
	r.Write(r.t, time.Now(), entries...)
	read, err := ledger.Read(r.t.Context(), r)
	if err != nil {
		r.t.Fatal(err)
	}
	return read
}

func TestTheEventsArriveSignedAndInTheirOrder(t *testing.T) {
	first, second := newReceiver(t), newReceiver(t)
	d := open(t, &configMaps{}, Webhook{URL: first.URL}, Webhook{URL: second.URL, Events: []string{names.EventRolledBack}})
	kept := &recent{t: t}
	d.Follow(kept.write(entered()))
	d.Follow(kept.write(checkpoint(48, "pass")))
	d.Follow(kept.write(begun(), rolledBack("errors")))
	wantNames(t, first, names.EventEntered, names.EventSoakPassed, names.EventRolledBack)
	wantNames(t, second, names.EventRolledBack)
	if sent := d.outcomes(Sent); len(sent) != 4 {
		t.Errorf("%d are reported as sent", len(sent))
	}
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
	for text, want := range map[string]time.Duration{"": 0, "soon": 0, "-1": 0, "7": 7 * time.Second, "86400": longestPause} {
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
	if r.doubles > 0 {
		t.Errorf("%d came twice", r.doubles)
	}
	for name, text := range cluster.data {
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

func TestVerifyRefuses(t *testing.T) {
	now := time.Unix(1_770_000_000, 0)
	header := func(timestamp, signature string) http.Header {
		return http.Header{TimestampHeader: {timestamp}, SignatureHeader: {signature}}
	}
	// printf '1770000000.{}' | openssl dgst -sha256 -hmac a-key-of-the-receiver
	const good = "sha256=af0419b25663f40812a66815db33f21db61649094d44adbca09942cd33c69b0c"
	for name, tt := range map[string]struct {
		key, body string
		header    http.Header
		at        time.Time
		want      error
	}{
		"nothing":           {key, "{}", header("1770000000", good), now, nil},
		"another body":      {key, "{ }", header("1770000000", good), now, ErrSignature},
		"another key":       {"other", "{}", header("1770000000", good), now, ErrSignature},
		"no signature":      {key, "{}", header("1770000000", ""), now, ErrSignature},
		"a newer timestamp": {key, "{}", header("1770000300", good), now, ErrSignature},
		"a replay":          {key, "{}", header("1770000000", good), now.Add(6 * time.Minute), ErrStale},
		"no timestamp":      {key, "{}", header("", sign([]byte(key), "", []byte("{}"))), now, ErrStale},
	} {
		if err := Verify([]byte(tt.key), tt.header, []byte(tt.body), tt.at, 5*time.Minute); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
