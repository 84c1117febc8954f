package notify

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
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
