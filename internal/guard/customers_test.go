package guard

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
)

// customers send requests until the test ends; the canary fails the share of bad in good+bad. customersUntil lets the
// test end them.
func (w *world) customers(good, bad, stableBad int) { w.customersUntil(good, bad, stableBad) }

func (w *world) customersUntil(good, bad, stableBad int) (end func()) {
	ctx, end := context.WithCancel(w.t.Context())
	go func() {
		for ctx.Err() == nil {
			w.serve(names.Canary, good, bad)
			w.serve(names.Stable, 10-stableBad, stableBad)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return end
}
