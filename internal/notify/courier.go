package notify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

const (
	// lookBack is how far a webhook without a cursor is told of the past: the update that brought the webhook wrote its
	// entries before the guard knew of it.
	lookBack = 15 * time.Minute
	// mostStates bounds the states that wait for a webhook; the oldest ones are dropped.
	mostStates = 64
	// shortestBackOff is the first pause before another try, longestBackOff the longest one.
	shortestBackOff = time.Second
	longestBackOff  = time.Minute
	// cursorLimit bounds the writing of a cursor.
	cursorLimit = 10 * time.Second
)

// Outcomes of a try, as the guard's metric names them.
const (
	// Sent: the receiver took the event.
	Sent = "sent"
	// Retried: the try failed, and another one follows.
	Retried = "retried"
	// Refused: the receiver will never take the event, which is left out.
	Refused = "refused"
	// Dropped: too many states waited.
	Dropped = "dropped"
)

// Report is the outcome of a try.
type Report struct {
	Host, Event, Outcome string
	// Tries counts the tries of this event so far.
	Tries int
	Err   error
}

// Options are what a Courier needs.
type Options struct {
	About    About
	Webhooks []Webhook
	Sender   Sender
	// Cluster keeps the cursors in the ConfigMap of that name, in the rollout's namespace.
	Cluster Cluster
	Name    string
	// Report is called after every try and for every failed write of a cursor, whose Outcome is empty. It must not block.
	Report func(Report)
	// First is the first pause before another try; 0 for a second.
	First time.Duration
}

// Courier delivers events to the webhooks of a rollout: each webhook in its own goroutine, each event until it is taken
// or refused. A nil Courier tells nobody.
type Courier struct {
	options Options
	lines   []*line
}

// NewCourier makes a courier that does nothing before Run.
func NewCourier(options Options) *Courier {
	if options.First == 0 {
		options.First = shortestBackOff
	}
	kept := &cursors{cluster: options.Cluster, namespace: options.About.Namespace, name: options.Name,
		wanted: map[string]bool{}}
	c := &Courier{options: options}
	for _, webhook := range options.Webhooks {
		name := cursorName(webhook.URL)
		kept.wanted[name] = true
		c.lines = append(c.lines, &line{options: &c.options, webhook: webhook, cursors: kept, name: name,
			kick: make(chan struct{}, 1)})
	}
	return c
}

// Run delivers until the context ends.
func (c *Courier) Run(ctx context.Context) {
	if c == nil {
		return
	}
	var running sync.WaitGroup
	for _, line := range c.lines {
		running.Go(func() { line.run(ctx) })
	}
	running.Wait()
}

// Follow hands over the ledger as it was read last. It does not block.
func (c *Courier) Follow(history *ledger.Ledger) {
	if c == nil {
		return
	}
	for _, line := range c.lines {
		line.follow(history)
	}
}

// Tell hands over a state that the ledger does not hold. It does not block.
func (c *Courier) Tell(state State) {
	if c == nil {
		return
	}
	event := c.options.About.Of(state)
	for _, line := range c.lines {
		line.tell(event)
	}
}

// line leads to one webhook.
type line struct {
	options *Options
	webhook Webhook
	cursors *cursors
	name    string
	kick    chan struct{}

	mu sync.Mutex
	// history is the ledger as it was read last; nil before the first reading.
	history *ledger.Ledger
	states  []Event

	// at is the cursor; only run uses it.
	at cursor
}

func (l *line) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

func (l *line) follow(history *ledger.Ledger) {
	l.mu.Lock()
	l.history = history
	l.mu.Unlock()
	l.wake()
}

func (l *line) tell(event Event) {
	if !l.webhook.wants(event) {
		return
	}
	l.mu.Lock()
	l.states = append(l.states, event)
	dropped := len(l.states) > mostStates
	var oldest Event
	if dropped {
		oldest, l.states = l.states[0], l.states[1:]
	}
	l.mu.Unlock()
	if dropped {
		l.report(oldest, Dropped, 0, nil)
	}
	l.wake()
}

func (l *line) report(event Event, outcome string, tries int, err error) {
	l.options.Report(Report{Host: l.webhook.Host(), Event: event.Name(), Outcome: outcome, Tries: tries, Err: err})
}

func (l *line) run(ctx context.Context) {
	if !l.begin(ctx) {
		return
	}
	for ctx.Err() == nil {
		event, reached, waits := l.next()
		if !waits {
			select {
			case <-ctx.Done():
			case <-l.kick:
			}
			continue
		}
		if !l.deliver(ctx, event) {
			return
		}
		if reached != nil {
			l.at = *reached
			l.save(ctx)
		}
	}
}

// begin finds the place in the ledger to go on from. It is false when the context ended.
func (l *line) begin(ctx context.Context) bool {
	known, err := backoff.Retry(ctx, func() (bool, error) {
		at, known, err := l.cursors.load(ctx, l.name)
		if err != nil {
			l.report(Event{}, "", 0, err)
			return false, err
		}
		l.at = at
		return known, nil
	}, backoff.WithBackOff(l.backOff()), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return false
	}
	if !known {
		l.at = cursor{Time: l.options.Sender.Now().Add(-lookBack)}
		// Without a cursor in the cluster a restart would look back from its own time.
		l.save(ctx)
	}
	return true
}

// save keeps the cursor. When that fails, a guard that starts again sends the same events with the same ids.
func (l *line) save(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cursorLimit)
	defer cancel()
	if err := l.cursors.save(ctx, l.name, l.at); err != nil {
		l.report(Event{}, "", 0, err)
	}
}

// next is the oldest event that waits, with the cursor behind it; nil for a state. The event stays in its queue when it
// comes from the ledger: the cursor takes it out.
func (l *line) next() (event Event, reached *cursor, waits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	recorded, entry, inLedger := l.nextRecorded()
	if len(l.states) > 0 && (!inLedger || l.states[0].Time.Before(recorded.Event.Time)) {
		event, l.states = l.states[0], l.states[1:]
		return event, nil, true
	}
	if !inLedger {
		return Event{}, nil, false
	}
	return recorded.Event, &entry, true
}

// nextRecorded is the first event of the ledger behind the cursor that the webhook wants.
func (l *line) nextRecorded() (Recorded, cursor, bool) {
	if l.history == nil {
		return Recorded{}, cursor{}, false
	}
	l.locate()
	for _, recorded := range l.options.About.Events(l.history, l.at.Seq) {
		if l.webhook.wants(recorded.Event) {
			return recorded, cursor{Head: ledger.Head{Seq: recorded.Seq, Sum: recorded.Event.Data.Ledger.Sum},
				Time: recorded.Event.Time}, true
		}
	}
	return Recorded{}, cursor{}, false
}

// locate moves the cursor by its time where the ledger does not go on from it: the webhook is new, or the ledger was
// deleted and has begun anew.
func (l *line) locate() {
	if l.at.Seq > 0 && l.history.Follows(l.at.Head) == nil {
		return
	}
	moved := cursor{Time: l.at.Time}
	for _, entry := range l.history.Entries() {
		if !entry.Time.After(l.at.Time) {
			moved.Head = ledger.Head{Seq: entry.Seq, Sum: entry.Sum}
		}
	}
	l.at = moved
}

// deliver sends an event until the receiver takes or refuses it. It is false when the context ended before.
func (l *line) deliver(ctx context.Context, event Event) bool {
	tries := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		tries++
		err := l.options.Sender.Send(ctx, l.webhook, event)
		if status, ok := errors.AsType[*StatusError](err); ok {
			switch {
			case status.Final():
				return struct{}{}, backoff.Permanent(err)
			case status.RetryAfter > 0:
				err = errors.Join(err, &backoff.RetryAfterError{Duration: status.RetryAfter})
			}
		}
		return struct{}{}, err
	}, backoff.WithBackOff(l.backOff()), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) { l.report(event, Retried, tries, err) }))
	status, refused := errors.AsType[*StatusError](err)
	switch {
	case err == nil:
		l.report(event, Sent, tries, nil)
	case refused && status.Final():
		l.report(event, Refused, tries, err)
	default:
		return false
	}
	return true
}

func (l *line) backOff() backoff.BackOff {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = l.options.First, max(longestBackOff, l.options.First)
	return policy
}
