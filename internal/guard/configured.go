package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// strayFor is how long the configuration may be another one than the ledger names: an update names it before it writes
// it.
const strayFor = 30 * time.Second

// stray is since when the configuration has been another one than the ledger names; zero while it is not.
type stray struct{ since time.Time }

// isLasting reports whether the configuration has been another one for too long.
func (s *stray) isLasting(state *ledger.State, text string, now time.Time) bool {
	if state == nil || state.Guard == nil || state.Guard.Configuration == ledger.Checksum(text) {
		s.since = time.Time{}
		return false
	}
	if s.since.IsZero() {
		s.since = now
	}
	return now.Sub(s.since) >= strayFor
}

// compareConfiguration reports a configuration that no update has given this guard. It guards by it all the same: by
// which other one could it?
func (r *runner) compareConfiguration(ctx context.Context) {
	lasting := r.stray.isLasting(r.record.state, r.text, r.now())
	r.guard.metrics.misconfigured.WithLabelValues(r.name()).Set(flag(lasting))
	if !lasting || !r.actions.isNews(names.GuardMisconfigured, r.now()) {
		return
	}
	given := r.record.state.Guard
	note := fmt.Sprintf("the guard's configuration is not the one that %s gave it by an update (entry %d of the ledger): "+
		"somebody else has changed the ConfigMap, and nothing advances until `pulumi up --refresh` has put it back",
		given.Author(), given.Seq)
	r.log.ErrorContext(ctx, note)
	r.announce(ctx, kube.Warning, names.GuardMisconfigured, note)
}
