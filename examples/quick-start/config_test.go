// Package quickstart_test keeps the quick start valid: its settings load without a secret, and its smoke suite passes a
// service that answers as podinfo does.
package quickstart_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func stack(t *testing.T) testkit.Config {
	t.Helper()
	return testkit.StackFile(t, "Pulumi.quick.yaml")
}

func TestTheStackOfTheQuickStart(t *testing.T) {
	s, err := settings.Load("quick", stack(t))
	if err != nil {
		t.Fatal(err)
	}
	if s.Position().Stable != 10 || s.HasCanary() || len(s.Secrets) > 0 || s.ServiceName != "podinfo" {
		t.Errorf("position %+v, service %s", s.Position(), s.ServiceName)
	}
	next := stack(t).With(map[string]string{"image": "ghcr.io/stefanprodan/podinfo:6.7.1", "canaryWeight": "10",
		"advance": "auto"})
	if s, err = settings.Load("quick", next); err != nil || s.Position().Canary != 1 || !s.IsAuto() {
		t.Errorf("the release: %+v, %v", s.Position(), err)
	}
	if _, err := smoke.Load(filepath.Join("..", "..", s.Smoke.Suite)); err != nil {
		t.Errorf("the suite that the stack names: %v", err)
	}
}

func TestTheSuiteOfTheQuickStart(t *testing.T) {
	suite, err := smoke.Load("smoke.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]bool{`{"version":"6.7.1","commit":"x"}`: true, `{}`: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/version" {
				_, _ = w.Write([]byte(version))
			}
		}))
		t.Cleanup(server.Close)
		tokens, err := smoke.NewTokens(nil, "", time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		targets := []smoke.Target{{Name: "podinfo-1", BaseURL: server.URL, Client: server.Client()}}
		if report := smoke.Run(t.Context(), suite, targets, tokens.Values("quick", "")); report.OK() != want {
			t.Errorf("%s: %s", version, report)
		}
	}
}
