package cli

import (
	"context"
	"sync"

	"github.com/vextrus/finance-rollout/internal/cli/status"
)

// following is a session that goes along with the stack's file, for commands that show a rollout for hours: somebody
// changes the weight or the image meanwhile. It is safe for concurrent use.
type following struct {
	mu       sync.Mutex
	session  *session
	evidence *status.EvidenceCache
}

func (s *session) follow() *following {
	return &following{session: s, evidence: &status.EvidenceCache{Wait: evidenceWait, Every: evidenceEvery}}
}

// now is the session by the newest configuration. With an error it is the one before: a file may be half written.
func (f *following) now(ctx context.Context) (*session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	reopened, err := f.session.stack.Reopened(ctx)
	if err != nil || reopened == f.session.stack {
		return f.session, err
	}
	renewed, err := newSession(ctx, reopened, *f.session)
	if err != nil {
		return f.session, err
	}
	f.session = renewed
	return renewed, nil
}

// status is the state of the rollout by the newest configuration.
func (f *following) status(ctx context.Context) *status.Status {
	s, err := f.now(ctx)
	source := s.statusSource()
	source.Evidence = f.evidence
	current := status.Gather(ctx, source)
	if err != nil {
		current.Missing = append(current.Missing, "newest configuration: "+err.Error())
	}
	return current
}
