package notify

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

// clerk is an Once with what it warned of.
type clerk struct {
	Once
	warnings []string
	opened   int
}

func newClerk(webhooks ...Webhook) *clerk {
	c := &clerk{}
	c.Once = Once{
		Webhooks: webhooks, Warn: func(text string) { c.warnings = append(c.warnings, text) },
		Open: func(context.Context) (About, Sender, error) {
			c.opened++
			return about(), Sender{Now: time.Now, Key: func(context.Context, string) ([]byte, error) {
				return []byte(key), nil
			}}, nil
		},
	}
	return c
}

func TestWhoWritesWithoutAGuardTellsOnce(t *testing.T) {
	r, memory := newReceiver(t), &store.Memory{}
	c := newClerk(Webhook{URL: r.URL})
	memory.Write(t, noon, entered())
	telling := NewTelling(memory, &c.Once)
	if _, err := ledger.Write(t.Context(), telling, time.Now, checkpoint(1, "pass"), begun()); err != nil {
		t.Fatal(err)
	}
	if c.opened > 0 {
		t.Error("the keys are decrypted for entries that tell nobody")
	}
	if _, err := ledger.Write(t.Context(), telling, time.Now, rolledBack("errors")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{names.EventRolledBack}, r.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.Tell(t.Context(), State{Name: names.EventRefused, Key: "x"})
	if diff := cmp.Diff([]string{names.EventRolledBack, names.EventRefused}, r.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(c.warnings) > 0 {
		t.Errorf("warnings %q", c.warnings)
	}
}

// Whatever the webhook does, the entry is written and the caller goes on.
func TestTellingNeverFailsTheWriter(t *testing.T) {
	refusing := newReceiver(t, http.StatusForbidden)
	broken := newClerk(Webhook{URL: refusing.URL + "/token-in-a-path"})
	closed := httptest.NewServer(nil)
	closed.Close()
	away := newClerk(Webhook{URL: closed.URL})
	locked := newClerk(Webhook{URL: closed.URL})
	locked.Open = func(context.Context) (About, Sender, error) { return About{}, Sender{}, errors.New("no passphrase") }
	for name, tt := range map[string]struct {
		clerk *clerk
		want  []string
	}{
		"refused": {broken, []string{"127.0.0.1", "403", "rolled-back was not told"}},
		"away":    {away, []string{"127.0.0.1", "rolled-back was not told"}},
		"no key":  {locked, []string{"127.0.0.1", "no passphrase"}},
	} {
		memory := &store.Memory{}
		if _, err := ledger.Write(t.Context(), NewTelling(memory, &tt.clerk.Once), time.Now, rolledBack("x")); err != nil ||
			len(memory.Entries(t)) != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if len(tt.clerk.warnings) != 1 {
			t.Fatalf("%s: warnings %q", name, tt.clerk.warnings)
		}
		testkit.WantError(t, errors.New(tt.clerk.warnings[0]), tt.want...)
		if strings.Contains(tt.clerk.warnings[0], "token-in-a-path") {
			t.Errorf("%s: the warning shows the path: %s", name, tt.clerk.warnings[0])
		}
	}
}

func TestAFailedWriteTellsNobody(t *testing.T) {
	r, memory := newReceiver(t), &store.Memory{}
	memory.Fail(errors.New("the API server is away"))
	c := newClerk(Webhook{URL: r.URL})
	if _, err := ledger.Write(t.Context(), NewTelling(memory, &c.Once), time.Now, rolledBack("x")); err == nil {
		t.Error("accepted")
	}
	if len(r.names()) > 0 {
		t.Errorf("told of %v", r.names())
	}
}

// signedIn is a store that knows the writer.
type signedIn struct{ store.Memory }

func (*signedIn) Account(context.Context) string { return "ann" }

func TestTheAccountStaysKnown(t *testing.T) {
	c, memory := newClerk(), &signedIn{}
	if _, err := ledger.Write(t.Context(), NewTelling(memory, &c.Once), time.Now, entered()); err != nil {
		t.Fatal(err)
	}
	if account := memory.Entries(t)[0].Account; account != "ann" {
		t.Errorf("account %q", account)
	}
	if account := NewTelling(&store.Memory{}, &c.Once).Account(t.Context()); account != "" {
		t.Errorf("account %q of a store that knows none", account)
	}
}
