package guard

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
)

const hmacKey = "key-of-the-receiver"

// inbox is a webhook that checks every signature. A negative status hangs until the test ends.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	events []notify.Event
}

func newInbox(t *testing.T, status int) *inbox {
	t.Helper()
	box, ended := &inbox{}, make(chan struct{})
	box.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if status < 0 {
			<-ended
			return
		}
		raw, err := io.ReadAll(request.Body)
		if err == nil {
			err = notify.Verify([]byte(hmacKey), request.Header, raw, time.Now(), time.Minute)
		}
		var event notify.Event
		if err = errors.Join(err, json.Unmarshal(raw, &event)); err != nil {
			t.Error(err)
		}
		box.mu.Lock()
		defer box.mu.Unlock()
		box.events = append(box.events, event)
		w.WriteHeader(status)
	}))
	t.Cleanup(box.Close)
	t.Cleanup(func() { close(ended) })
	return box
}

func (b *inbox) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for _, event := range b.events {
		list = append(list, event.Name())
	}
	return list
}

func (b *inbox) last() notify.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.events[len(b.events)-1]
}

func to(boxes ...*inbox) func(*Config) {
	return func(c *Config) {
		c.Notify = &Notify{Stack: "production"}
		for _, box := range boxes {
			c.Notify.Webhooks = append(c.Notify.Webhooks, notify.Webhook{URL: box.URL, Key: "notify_hmac-key"})
		}
	}
}

// signing gives the guards of a world the key of its webhooks.
func (w *world) signing() {
	w.key = func(name string) (string, error) {
		if name != "notify_hmac-key" {
			return "", errors.New("no such key")
		}
		return hmacKey, nil
	}
}

// A webhook that hangs holds up neither the rollback nor another webhook.
func TestTheGuardTellsOfARollback(t *testing.T) {
	t.Parallel()
	w, box, hanging := newWorld(t, 3, 1), newInbox(t, http.StatusNoContent), newInbox(t, -1)
	w.signing()
	w.record(reached())
	g, _ := w.guarded(to(hanging, box))
	w.customers(0, 3, 0)
	w.eventually("rolled back", w.out)
	w.eventually("the webhook is told", func() bool { return len(box.names()) == 2 })
	if got := box.names(); !slices.Equal(got, []string{names.EventEntered, names.EventRolledBack}) {
		t.Errorf("told of %v", got)
	}
	event := box.last()
	if event.Data.Rollback == nil || event.Data.Rollback.Evidence == nil || event.Data.Stack != "production" ||
		event.Data.Release != "v2" || event.Data.Image != image || event.Data.Who != "guard/one" ||
		event.Data.Rollback.Retry.Earliest.Before(event.Time) {
		t.Errorf("%+v", event)
	}
	// The receiver has an event before the guard has its answer.
	w.eventually("both are counted as sent", func() bool {
		return testutil.ToFloat64(g.metrics.notifications.WithLabelValues("finance", notify.Sent)) == 2
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, text := range w.configs["finance-notified"] {
		if strings.Contains(name+text, "127.0.0.1") || strings.Contains(name+text, hmacKey) {
			t.Errorf("a cursor holds %s %s", name, text)
		}
	}
}

func TestTheGuardSaysWhenAWebhookRefuses(t *testing.T) {
	t.Parallel()
	w, box := newWorld(t, 3, 1), newInbox(t, http.StatusForbidden)
	w.signing()
	w.record(reached())
	w.guarded(to(box))
	w.eventually("the Event", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.events, func(e string) bool {
			return strings.HasPrefix(e, "NotificationRefused: webhook 127.0.0.1") && strings.Contains(e, "403")
		})
	})
	if got := box.names(); len(got) != 1 {
		t.Errorf("tried %d times", len(got))
	}
}

func TestTheGuardTellsOfAReviewOnce(t *testing.T) {
	t.Parallel()
	w, box := newWorld(t, 3, 1), newInbox(t, http.StatusOK)
	w.signing()
	w.silent.Store(true)
	w.record(reached())
	w.guarded(to(box))
	w.customers(2, 1, 0)
	w.eventually("the webhook is told", func() bool { return slices.Contains(box.names(), names.EventNeedsReview) })
	time.Sleep(2 * time.Second)
	reviews := slices.DeleteFunc(box.names(), func(name string) bool { return name != names.EventNeedsReview })
	if event := box.last(); len(reviews) != 1 || event.Data.Reason == "" || event.Data.Image != image {
		t.Errorf("%d reviews: %+v", len(reviews), event)
	}
}

// Another configuration starts another runner, which goes on where the one before it ended.
func TestANewConfigurationGoesOnTelling(t *testing.T) {
	t.Parallel()
	w, box := newWorld(t, 3, 1), newInbox(t, http.StatusOK)
	w.signing()
	w.record(reached())
	w.guarded(to(box))
	w.eventually("the first event", func() bool { return len(box.names()) == 1 })
	w.mu.Lock()
	config, err := ParseConfig(w.configs["finance-guard"][ConfigKey])
	if err != nil {
		t.Fatal(err)
	}
	config.DashboardURL = "https://grafana.example.com/d/finance-v2"
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	w.configs["finance-guard"] = map[string]string{ConfigKey: string(raw)}
	w.mu.Unlock()
	w.changed()
	w.eventually("an event of the new configuration", func() bool {
		w.record(ledger.Entry{Kind: ledger.Attested, Name: "sign-off"})
		return box.last().Data.DashboardURL != ""
	})
	box.mu.Lock()
	defer box.mu.Unlock()
	ids := map[string]bool{}
	for _, event := range box.events {
		ids[event.ID] = true
	}
	// The event under way when the configuration changes may come twice, with the same id.
	if again := len(box.events) - len(ids); again > 1 {
		t.Errorf("of %d events, %d came again", len(box.events), again)
	}
}

// A guard that an operator runs by hand holds no keys. The guards in the cluster tell.
func TestAGuardWithoutKeysTellsNobody(t *testing.T) {
	t.Parallel()
	w, box := newWorld(t, 3, 1), newInbox(t, http.StatusOK)
	w.record(reached())
	w.guarded(to(box))
	w.customers(0, 3, 0)
	w.eventually("rolled back", w.out)
	w.eventually("recorded", func() bool { return strings.Contains(w.kinds(), string(ledger.RolledBack)) })
	if got := box.names(); len(got) > 0 {
		t.Errorf("told of %v", got)
	}
}
