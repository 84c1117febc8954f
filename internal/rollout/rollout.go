package rollout

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os/user"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/signature"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Cluster is all that a rollout needs of the cluster; internal/kube's Client.
type Cluster interface {
	rollback.Cluster
	rollback.Traffic
	soak.Pods
	ledger.ConfigMaps
	// Replicas is the number of pods that a Deployment asks for; 0 when it does not exist.
	Replicas(ctx context.Context, namespace, name string) (int, error)
}

// Rollout is the rollout of one stack. It holds no state of its own: every method asks the cluster afresh.
type Rollout struct {
	Settings *settings.Settings
	Cluster  Cluster
	// Prometheus reaches the server that the gates ask. It is called only where the answer is needed.
	Prometheus func() (soak.Server, error)
	Clock      gate.Clock
	// Who acts, for the ledger.
	Who string
	// Getenv reads the environment, for the tokens of the smoke suite.
	Getenv func(string) string
	// Dir is the project's folder, where the relative paths of the configuration begin; empty for the working directory.
	Dir string
	// Name is the rollout's name for commands; empty where the stack has one.
	Name string
	// Secrets gives the settings with the stack's secrets, for the keys of webhooks and of the ledger; nil where Settings
	// hold them.
	Secrets func(ctx context.Context) (*settings.Settings, error)
	// Remembered is the end of the ledger at the stack's last update; the zero head where it is not known.
	Remembered ledger.Head
	// Warn says which webhook was not told; nil for the log.
	Warn func(text string)
}

// ReachedBy is a cluster whose Services can be reached through its API server.
type ReachedBy interface {
	Cluster
	endpoint.Proxy
}

// New is the rollout of a stack on a live cluster: the machine's clock, the Prometheus of the settings, and the
// person or pipeline that the environment names. The login gets it into Prometheus; nil where everybody gets in.
func New(s *settings.Settings, cluster ReachedBy, login endpoint.Login, getenv func(string) string) *Rollout {
	return &Rollout{
		Settings: s, Cluster: cluster, Clock: gate.SystemClock{}, Who: Who(getenv), Getenv: getenv,
		Prometheus: func() (soak.Server, error) {
			return prometheus.Connect(endpoint.Way{Proxy: cluster, Login: login}, s.Prometheus)
		},
	}
}

// With is the same rollout with other settings: those with the stack's secrets, or with an override.
func (r *Rollout) With(s *settings.Settings) *Rollout {
	changed := *r
	changed.Settings = s
	return &changed
}

// Ledger is the store of the rollout's history. Where webhooks are to be told and no guard does it, the store tells
// them of what is written.
func (r *Rollout) Ledger() ledger.Store {
	store := ledgerIn(r.Cluster, r.Settings)
	store.Remembered, store.Signature.Key = r.Remembered, r.signingKey
	if once := r.once(); once != nil && !r.Settings.IsGuarded() {
		return notify.NewTelling(store, once)
	}
	return store
}

// LedgerIn is [Rollout.Ledger] for callers that only read.
func LedgerIn(cluster ledger.ConfigMaps, s *settings.Settings) ledger.Store {
	return ledgerIn(cluster, s)
}

func ledgerIn(cluster ledger.ConfigMaps, s *settings.Settings) ledger.InConfigMap {
	return ledger.InConfigMap{Cluster: cluster, Namespace: s.Namespace, Name: names.Ledger(s.App),
		Record: names.Record(s.App), Signature: ledger.Signing{Trusted: s.TrustedKeys()}}
}

// signingKey is the key by which updates and commands vouch for the ledger.
func (r *Rollout) signingKey(ctx context.Context) (ed25519.PrivateKey, error) {
	s := r.Settings
	if r.Secrets != nil {
		var err error
		if s, err = r.Secrets(ctx); err != nil {
			return nil, fmt.Errorf("decrypt the ledger's key: %w", err)
		}
	}
	value, _ := s.Secret(s.Ledger.SigningKey)
	key, err := signature.ParsePrivate(value.Reveal())
	if err != nil {
		return nil, fmt.Errorf("ledger.signingKey: %w", err)
	}
	return key, nil
}

// Who is the person or the pipeline that acts: the first of ROLLOUT_USER, GITHUB_ACTOR, GITLAB_USER_LOGIN, USER and
// LOGNAME that is set, else the user of the process, else "unknown".
func Who(getenv func(string) string) string {
	for _, name := range []string{"ROLLOUT_USER", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"} {
		if value := getenv(name); value != "" {
			return value
		}
	}
	if current, err := user.Current(); err == nil {
		return current.Username
	}
	return "unknown"
}
