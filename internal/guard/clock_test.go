package guard

import (
	"strings"
	"testing"
	"time"
)

// A node's clock may be set: the world's is, by a minute in both directions, and has no monotonic reading that would
// hide it.
func TestAClockThatMoves(t *testing.T) {
	for _, tt := range []struct {
		name string
		skew time.Duration
	}{{"a minute ahead", time.Minute}, {"a minute back", -time.Minute}} {
		t.Run(tt.name+", and then the canary is bad", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 3, 1)
			w.record(reached())
			_, registry := w.guarded()
			stop := w.customersUntil(10, 0, 0)
			w.eventually("looks before", func() bool { return requests(t, registry) > 100 })
			w.skew.Store(int64(tt.skew))
			seen := requests(t, registry)
			w.eventually("looks after", func() bool { return requests(t, registry) > seen+200 })
			if w.out() || w.kinds() != "shift-reached" {
				t.Fatalf("a healthy canary is out: %s", w.kinds())
			}
			stop()
			w.customers(2, 1, 0)
			w.eventually("rolled back", func() bool {
				return w.out() &&
					strings.HasSuffix(w.kinds(), "rollback-begun rolled-back")
			})
		})
		t.Run(tt.name+", while the canary is bad", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 3, 1)
			w.record(reached())
			w.guarded()
			w.customers(2, 1, 0)
			w.skew.Store(int64(tt.skew))
			w.eventually("rolled back", func() bool {
				return w.out() &&
					strings.HasSuffix(w.kinds(), "rollback-begun rolled-back")
			})
		})
	}
}
