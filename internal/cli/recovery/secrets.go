package recovery

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// secretsWait is how long a rollback waits for the stack's secrets. They are redacted from the evidence, but the canary
// does not stay in traffic for them.
const secretsWait = time.Second

// pendingSecrets are settings with secrets that the Pulumi CLI decrypts in the background.
type pendingSecrets struct {
	done     chan struct{}
	settings *settings.Settings
	err      error
}

func fetchSecrets(ctx context.Context, stack Stack) *pendingSecrets {
	pending := &pendingSecrets{done: make(chan struct{})}
	go func() {
		defer close(pending.done)
		pending.settings, pending.err = stack.WithSecrets(ctx)
	}()
	return pending
}

// revealed returns the secrets if they arrive soon, else none. Texts that look like secrets are redacted in any case.
func (p *pendingSecrets) revealed() []string {
	select {
	case <-p.done:
		if p.err == nil {
			return p.settings.Revealed()
		}
	case <-time.After(secretsWait):
	}
	return nil
}

// wait returns the settings with secrets.
func (p *pendingSecrets) wait(ctx context.Context) (*settings.Settings, error) {
	select {
	case <-p.done:
		return p.settings, p.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
