package rollout

import (
	"context"
	"fmt"
	"net/http"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/login"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// addressOf is where a criterion's value comes from; nil for Prometheus.
func addressOf(own *settings.OwnAddress) *gate.Address {
	if own == nil {
		return nil
	}
	return &gate.Address{URL: own.URL, Method: own.Verb(), Body: own.Body, Field: own.Field, Login: own.LoginName()}
}

// ownClient is the client of a login of the stack's own criteria.
func (r *Rollout) ownClient(name string) (*http.Client, error) {
	if name == "" {
		return &http.Client{}, nil
	}
	return &http.Client{Transport: login.New(func(ctx context.Context) (string, error) {
		with := r.Settings
		if r.Secrets != nil && with.OwnLogins()[name].HasCredentials() {
			var err error
			if with, err = r.Secrets(ctx); err != nil {
				return "", fmt.Errorf("decrypt the secrets of config criteria.own: %w", err)
			}
		}
		return with.OwnLogin(name)(ctx)
	}).Direct()}, nil
}
