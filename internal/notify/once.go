package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// onceLimit bounds all that follows from one write, the decryption of the keys included.
const onceLimit = 8 * time.Second

// Once tells webhooks of events once, for those who write where no guard runs. It never fails its caller.
type Once struct {
	Webhooks []Webhook
	// Open gives what is needed to send. It is called only when there is an event, because decrypting the keys takes
	// time.
	Open func(ctx context.Context) (About, Sender, error)
	// Warn says what could not be told.
	Warn func(text string)
}

// tell sends the events that eventsOf gives, to all webhooks at once and to each in their order.
func (o *Once) tell(ctx context.Context, eventsOf func(About) []Event) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), onceLimit,
		fmt.Errorf("not told within %s", onceLimit))
	defer cancel()
	// Which events there are does not depend on the keys.
	if len(eventsOf(About{})) == 0 {
		return
	}
	about, sender, err := o.Open(ctx)
	if err != nil {
		for _, webhook := range o.Webhooks {
			o.Warn(fmt.Sprintf("webhook %s was not told: %s", webhook.Host(), err))
		}
		return
	}
	events := eventsOf(about)
	failures := make([]error, len(o.Webhooks))
	var sending sync.WaitGroup
	for i, webhook := range o.Webhooks {
		sending.Go(func() {
			for _, event := range events {
				if webhook.wants(event) {
					failures[i] = errors.Join(failures[i], named(event, sender.Send(ctx, webhook, event)))
				}
			}
		})
	}
	sending.Wait()
	if err := errors.Join(failures...); err != nil {
		o.Warn(err.Error())
	}
}

// named says which event was not told.
func named(event Event, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s was not told: %w", event.Name(), err)
}

// Tell sends a state that the ledger does not hold.
func (o *Once) Tell(ctx context.Context, state State) {
	if o == nil {
		return
	}
	o.tell(ctx, func(about About) []Event { return []Event{about.Of(state)} })
}

// Telling is a ledger's store that tells webhooks of what was appended, after it was written.
type Telling struct {
	ledger.Store
	once *Once

	mu sync.Mutex
	// ends are the numbers of the last entries of the data that was loaded, by its version.
	ends map[string]int
}

// NewTelling makes a store that tells of what is written through it.
func NewTelling(store ledger.Store, once *Once) *Telling {
	return &Telling{Store: store, once: once, ends: map[string]int{}}
}

var (
	_ ledger.Store         = (*Telling)(nil)
	_ ledger.Authenticator = (*Telling)(nil)
	_ ledger.Witness       = (*Telling)(nil)
	_ ledger.Signed        = (*Telling)(nil)
)

// Signing implements ledger.Signed where the store does.
func (t *Telling) Signing() ledger.Signing {
	if signed, ok := t.Store.(ledger.Signed); ok {
		return signed.Signing()
	}
	return ledger.Signing{}
}

// Seen implements ledger.Witness where the store does.
func (t *Telling) Seen(ctx context.Context) ([]ledger.Head, error) {
	if witness, ok := t.Store.(ledger.Witness); ok {
		return witness.Seen(ctx)
	}
	return nil, nil
}

// Keep implements ledger.Witness where the store does.
func (t *Telling) Keep(ctx context.Context, head ledger.Head) error {
	if witness, ok := t.Store.(ledger.Witness); ok {
		return witness.Keep(ctx, head)
	}
	return nil
}

// Account implements ledger.Authenticator where the store does.
func (t *Telling) Account(ctx context.Context) string {
	if server, ok := t.Store.(ledger.Authenticator); ok {
		return server.Account(ctx)
	}
	return ""
}

// Load implements ledger.Store.
func (t *Telling) Load(ctx context.Context) (data map[string]string, version string, err error) {
	data, version, err = t.Store.Load(ctx)
	if err != nil {
		return data, version, err
	}
	if history, broken := ledger.Parse(data); broken == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		clear(t.ends)
		t.ends[version] = history.Head().Seq
	}
	return data, version, nil
}

// Save implements ledger.Store. Its error is that of the write: what could not be told is a warning.
func (t *Telling) Save(ctx context.Context, data map[string]string, version string) error {
	if err := t.Store.Save(ctx, data, version); err != nil {
		return err
	}
	t.mu.Lock()
	end, known := t.ends[version]
	t.mu.Unlock()
	history, err := ledger.Parse(data)
	if err != nil || !known {
		// The write succeeded. The next reader reports a ledger that cannot be read.
		return nil
	}
	t.once.tell(ctx, func(about About) []Event {
		var events []Event
		for _, recorded := range about.Events(history, end) {
			events = append(events, recorded.Event)
		}
		return events
	})
	return nil
}
