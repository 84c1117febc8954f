package dashboard

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/cli/evidence"
	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/forecast"
)

// Source gives what the page shows. Parts that are nil are not shown.
type Source struct {
	// Status looks at the rollout. It always returns one, and bounds its time itself.
	Status func(context.Context) *status.Status
	// Charts are those of the last time of both tracks.
	Charts   func(context.Context, *status.Status) (report.Section, error)
	Evidence func(context.Context, *status.Status) ([]evidence.Summary, error)
	// Forecast takes seconds of computing.
	Forecast func(context.Context, *status.Status) (*forecast.Forecast, error)
	// Rewrite changes the sections of the page before they are shown; nil for nothing.
	Rewrite func(string) string
}

// How often the parts beside the status are read, and how long after a failure.
const (
	chartsEvery   = 5 * time.Second
	evidenceEvery = 15 * time.Second
	forecastEvery = 6 * time.Hour
	retryAfter    = 10 * time.Minute
)

// Watch looks at a rollout as long as somebody looks at it.
type Watch struct {
	source Source
	every  time.Duration
	logger *slog.Logger
	// wanted wakes the loop when somebody begins to look.
	wanted chan struct{}

	mu       sync.Mutex
	view     View
	rendered map[string]string
	// changed is closed and replaced when rendered changes.
	changed chan struct{}
	lookers int
	parts   map[string]*turn
	reading sync.WaitGroup
}

// turn says when a part is read next.
type turn struct {
	busy bool
	next time.Time
}

// NewWatch is a watch that looks at the source every so often.
func NewWatch(source Source, every time.Duration, logger *slog.Logger) *Watch {
	w := &Watch{source: source, every: every, logger: logger, wanted: make(chan struct{}, 1),
		changed: make(chan struct{}), parts: map[string]*turn{}}
	w.publish()
	return w
}

// Run looks until the context ends. A look that fails is no end: the page shows the last one and since when it is
// stale.
func (w *Watch) Run(ctx context.Context) {
	defer w.reading.Wait()
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if w.watched() {
			w.look(ctx)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-w.wanted:
		}
	}
}

func (w *Watch) watched() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lookers > 0
}

// enter counts somebody who looks, until leave.
func (w *Watch) enter() (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookers++
	select {
	case w.wanted <- struct{}{}:
	default:
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lookers--
	}
}

// snapshot are the sections as they are now, and a channel that is closed when they change.
func (w *Watch) snapshot() (rendered map[string]string, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rendered, w.changed
}

// look reads the status, and begins to read the parts whose turn it is.
func (w *Watch) look(ctx context.Context) {
	current := w.source.Status(ctx)
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	switch {
	case current.Unreachable == "":
		w.view.Status, w.view.Stale = current, ""
	case w.view.Status == nil || w.view.Status.Unreachable != "":
		w.view.Status, w.view.Stale = current, current.Unreachable
	default:
		w.view.Stale = current.Unreachable
	}
	w.mu.Unlock()
	w.publish()
	if current.Unreachable != "" {
		return
	}
	read(ctx, w, "charts", &w.view.Charts, w.source.Charts, current, chartsEvery, chartsEvery)
	read(ctx, w, "evidence", &w.view.Evidence, w.source.Evidence, current, evidenceEvery, evidenceEvery)
	read(ctx, w, "forecast", &w.view.Forecast, w.source.Forecast, current, forecastEvery, retryAfter)
}

// read reads a part in the background when it is its turn. A part that cannot be read keeps its last value.
func read[T any](ctx context.Context, w *Watch, name string, part *Part[T],
	from func(context.Context, *status.Status) (T, error), current *status.Status, every, retry time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	its := w.parts[name]
	if its == nil {
		its = &turn{}
		w.parts[name] = its
	}
	if from == nil || its.busy || time.Now().Before(its.next) {
		return
	}
	its.busy = true
	w.reading.Go(func() {
		value, err := from(ctx, current)
		w.mu.Lock()
		now := time.Now()
		its.busy, its.next = false, now.Add(every)
		if err != nil {
			its.next, part.Problem = now.Add(retry), err.Error()
		} else {
			*part = Part[T]{Value: value, Read: now}
		}
		w.mu.Unlock()
		w.publish()
	})
}

// publish renders the view and tells those who look when it has changed.
func (w *Watch) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	rendered, err := w.view.Render()
	if err != nil {
		// The templates are the program's own, and every field of a view is tested with them.
		w.logger.Error("cannot write the dashboard", "error", err)
		return
	}
	if w.source.Rewrite != nil {
		for name, section := range rendered {
			rendered[name] = w.source.Rewrite(section)
		}
	}
	if maps.Equal(rendered, w.rendered) {
		return
	}
	w.rendered = rendered
	close(w.changed)
	w.changed = make(chan struct{})
}
