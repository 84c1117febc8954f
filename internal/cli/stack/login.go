package stack

import (
	"context"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// PrometheusLogin gets the stack's commands into Prometheus; nil where it wants no login. The Pulumi CLI decrypts the
// credentials at the first request.
func (s *Stack) PrometheusLogin() endpoint.Login {
	return s.login("prometheusAuth", s.Settings.PrometheusAuth, (*settings.Settings).PrometheusLogin)
}

// AlertmanagerLogin is [Stack.PrometheusLogin] for the guard's Alertmanager.
func (s *Stack) AlertmanagerLogin() endpoint.Login {
	return s.login("alertmanagerAuth", s.Settings.AlertmanagerAuth, (*settings.Settings).AlertmanagerLogin)
}

func (s *Stack) login(key string, config settings.HTTPConfig,
	document func(*settings.Settings, context.Context) (string, error)) endpoint.Login {
	return config.Login(func(ctx context.Context) (string, error) {
		if !config.HasCredentials() {
			return document(s.Settings, ctx)
		}
		decrypted, err := s.decrypt(ctx)
		if err != nil {
			return "", fmt.Errorf("decrypt the secrets of config %s: %w", key, err)
		}
		return document(decrypted, ctx)
	})
}

// decrypt is [Stack.WithSecrets], once.
func (s *Stack) decrypt(ctx context.Context) (*settings.Settings, error) {
	s.decrypting.Lock()
	defer s.decrypting.Unlock()
	if s.decrypted != nil {
		return s.decrypted, nil
	}
	decrypted, err := s.WithSecrets(ctx)
	if err == nil {
		s.decrypted = decrypted
	}
	return decrypted, err
}
