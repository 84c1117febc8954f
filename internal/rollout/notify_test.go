package rollout

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

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// ledgerOnly is a cluster that holds nothing but a ledger.
type ledgerOnly struct {
	Cluster
	data    map[string]string
	version int
}

func (c *ledgerOnly) ConfigMap(context.Context, string, string) (data map[string]string, version string, err error) {
	return maps.Clone(c.data), strconv.Itoa(c.version), nil
}

func (c *ledgerOnly) SwapConfigMap(_ context.Context, _, _ string, data map[string]string, _ string) error {
	c.data, c.version = maps.Clone(data), c.version+1
	return nil
}

// mailbox is a webhook that checks the signature.
type mailbox struct {
	*httptest.Server
	mu     sync.Mutex
	events []notify.Event
}

func newMailbox(t *testing.T, key string) *mailbox {
	t.Helper()
	box := &mailbox{}
	box.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		raw, err := io.ReadAll(request.Body)
		var event notify.Event
		if err = errors.Join(err, notify.Verify([]byte(key), request.Header, raw, time.Now(), time.Minute),
			json.Unmarshal(raw, &event)); err != nil {
			t.Error(err)
		}
		box.mu.Lock()
		defer box.mu.Unlock()
		box.events = append(box.events, event)
	}))
	t.Cleanup(box.Close)
	return box
}

func (b *mailbox) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []string{}
	for _, event := range b.events {
		list = append(list, event.Name())
	}
	return list
}

// telling is a rollout with a webhook; its warnings fail the test.
func telling(t *testing.T, box *mailbox, guard string) *Rollout {
	t.Helper()
	s, err := settings.Load("production", testkit.Config{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "prometheus": "monitoring/prometheus:9090",
		"secretEnv": "{}", "smoke": `{"originFrom":"","tokenFrom":""}`, "guard": guard, "namespace": "vextrus-production",
		"secrets":      `{"notify":{"hmac-key":"the-true-key"},"finance-db":{"password":"s3cr3t-value"}}`,
		"notify":       `{"webhooks":[{"url":"` + box.URL + `","secret":"notify/hmac-key"}]}`,
		"dashboardURL": "https://grafana.example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Rollout{Settings: s, Cluster: &ledgerOnly{}, Clock: gate.SystemClock{}, Who: "anna",
		Warn: func(text string) { t.Errorf("warning: %s", text) }}
}

func TestWhereNoGuardRunsTheWriterTells(t *testing.T) {
	for name, tt := range map[string]struct {
		guard string
		want  []string
	}{
		"off":      {`{"enabled":false,"image":"vextrus/rollout:v1"}`, []string{names.EventRolledBack}},
		"no image": {`{}`, []string{names.EventRolledBack}},
		"a guard":  {`{"image":"vextrus/rollout:v1"}`, []string{}},
	} {
		box := newMailbox(t, "the-true-key")
		r := telling(t, box, tt.guard)
		_, err := ledger.Write(t.Context(), r.Ledger(), r.Clock.Now, reached("week1", imageA, 0),
			ledger.Entry{Kind: ledger.RolledBack, Release: "week1", Image: imageA, Reason: "it logs s3cr3t-value"})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(box.names(), func(name string) bool { return name == names.EventShifted })
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: told of %v, want %v", name, got, tt.want)
		}
		for _, event := range box.events {
			if strings.Contains(event.Data.Reason, "s3cr3t-value") || event.Data.Stack != "production" ||
				event.Data.DashboardURL != "https://grafana.example.com/d/finance-week1" {
				t.Errorf("%s: %+v", name, event)
			}
		}
	}
}

func TestACommandDecryptsTheKeyWhenItTells(t *testing.T) {
	box := newMailbox(t, "the-true-key")
	r := telling(t, box, `{}`)
	open, asked := r.Settings, 0
	masked := *r.Settings
	masked.Secrets = map[string]map[string]settings.Secret{"notify": {"hmac-key": "[secret]"}}
	r.Settings = &masked
	r.Secrets = func(context.Context) (*settings.Settings, error) { asked++; return open, nil }
	write := func(entry ledger.Entry) error {
		_, err := ledger.Write(t.Context(), r.Ledger(), r.Clock.Now, entry)
		return err
	}
	if err := write(begun("week1", imageA, 0, 10)); err != nil || asked > 0 {
		t.Fatalf("asked %d times: %v", asked, err)
	}
	if err := write(reached("week1", imageA, 10)); err != nil || asked != 1 {
		t.Fatalf("asked %d times: %v", asked, err)
	}
	if got := box.names(); !slices.Equal(got, []string{names.EventEntered}) {
		t.Errorf("told of %v", got)
	}
	var warnings []string
	r.Warn = func(text string) { warnings = append(warnings, text) }
	r.Secrets = func(context.Context) (*settings.Settings, error) { return nil, errors.New("no passphrase") }
	if err := write(reached("week1", imageA, 30)); err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 {
		t.Fatalf("warnings %q", warnings)
	}
	testkit.WantError(t, errors.New(warnings[0]), "no passphrase", "127.0.0.1")
}

// The ledger holds no refusal: the guard cannot know of it.
func TestARefusalIsToldWithAGuardAndWithout(t *testing.T) {
	refused := advance.Decision{Move: plan.Move{Kind: plan.Advance, From: 10, To: 30},
		Refusals: []advance.Refusal{{Cause: advance.CauseSoak, Reason: "31 h of 48 h"}}}
	rolledBack := refused
	rolledBack.RollBack = true
	for _, guard := range []string{`{}`, `{"image":"vextrus/rollout:v1"}`} {
		box := newMailbox(t, "the-true-key")
		r := telling(t, box, guard)
		for _, decision := range []advance.Decision{{}, rolledBack, refused, refused} {
			r.Refused(t.Context(), &ledger.Ledger{}, imageA, decision)
		}
		if got := box.names(); !slices.Equal(got, []string{names.EventRefused, names.EventRefused}) {
			t.Fatalf("told of %v", got)
		}
		first, again := box.events[0], box.events[1]
		if first.ID != again.ID || *first.Data.From != 10 || *first.Data.To != 30 || first.Data.Who != "anna" ||
			first.Data.Reason != "soak too short: 31 h of 48 h" {
			t.Errorf("%+v", first)
		}
	}
}

func TestWithoutWebhooksNobodyIsTold(t *testing.T) {
	r := telling(t, newMailbox(t, ""), `{}`)
	plain := *r.Settings
	plain.Notify = settings.Notify{}
	r = r.With(&plain)
	if _, tells := r.Ledger().(*notify.Telling); tells || len(Webhooks(&plain)) > 0 {
		t.Error("the ledger tells webhooks that are not there")
	}
	r.Refused(t.Context(), &ledger.Ledger{}, imageA, advance.Decision{Refusals: []advance.Refusal{{}}})
}
