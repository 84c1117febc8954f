// Package live reads preflight.Facts from the API server, the registry, Prometheus and other HTTP endpoints,
// concurrently and each within a time limit. A part that cannot be read has an error in the Facts and stops no other.
//
// The package decides nothing and imports no Pulumi: Source holds functions for everything that needs the stack.
package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Cluster is the part of internal/kube's Client that the checklist reads.
type Cluster interface {
	ledger.ConfigMaps
	endpoint.Proxy
	Check(ctx context.Context) error
	Origin() string
	Version(ctx context.Context) (string, error)
	Allowed(ctx context.Context, verb, group, resource, namespace, name string) (bool, error)
	NamespaceOwner(ctx context.Context, namespace string) (kube.Namespace, bool, error)
	SecretStates(ctx context.Context, namespace, name string, judge func(value string) string) (map[string]string, bool,
		error)
	Rooms(ctx context.Context) ([]kube.Room, error)
	LastSuccess(ctx context.Context, namespace, name string) (time.Time, bool, error)
	Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, bool, error)
	Objects(ctx context.Context, kind schema.GroupVersionResource, namespace string) ([]unstructured.Unstructured, error)
}

// Server queries Prometheus.
type Server interface {
	Ask(ctx context.Context, query string, at time.Time) (model.Value, error)
	LabelValues(ctx context.Context, label, selector string, start, end time.Time) ([]string, error)
	RuleGroups(ctx context.Context) (names, broken []string, err error)
	Alertmanagers(ctx context.Context) ([]string, error)
}

var _ Server = (*prometheus.Client)(nil)

// Source is the origin of the Facts.
type Source struct {
	Stack, Owner string
	Settings     *settings.Settings
	// Cluster connects to the cluster.
	Cluster func() (Cluster, error)
	// Prometheus connects to the server that the gates query.
	Prometheus func(Cluster) (Server, error)
	// Alertmanager gets into the Alertmanager of the guard; nil where everybody gets in.
	Alertmanager endpoint.Login
	// Image resolves a reference to its digest in the registry.
	Image func(ctx context.Context, reference string) (string, error)
	// Staging returns the digest that the verifying stack has recorded.
	Staging func(ctx context.Context) (string, error)
	// Past rehearses on the stack's own past up to a time; nil for none.
	Past func(ctx context.Context, now time.Time) (preflight.Past, error)
	// HTTP reaches addresses outside the cluster.
	HTTP *http.Client
	Now  func() time.Time
}

const (
	// limit is the time limit of each part.
	limit = 15 * time.Second
	// pastLimit is that of the rehearsal, which reads days of requests.
	pastLimit = time.Minute
	// atOnce limits the concurrent requests to the API server.
	atOnce = 8
)

// reader reads the facts.
type reader struct {
	Source
	cluster Cluster
	facts   *preflight.Facts
}

// Gather reads the facts.
func Gather(ctx context.Context, source Source) preflight.Facts {
	r := &reader{Source: source, facts: &preflight.Facts{Now: source.Now(), Stack: source.Stack, Owner: source.Owner}}
	parts := []func(context.Context){r.images}
	if r.connect(ctx) {
		parts = append(parts, r.permissions, r.namespace, r.secrets, r.prometheus, r.capacity, r.otlp, r.alertmanager)
		if !r.Settings.IsSingle() {
			parts = append(parts, r.ledger, r.backups)
		}
		if r.Settings.IsGateway() {
			parts = append(parts, r.routes)
		}
	}
	if !r.Settings.IsSingle() && r.Settings.Staging.Required {
		parts = append(parts, r.staging)
	}
	if r.Settings.DashboardURL != "" {
		parts = append(parts, r.grafana)
	}
	var group errgroup.Group
	read := func(limit time.Duration, part func(context.Context)) {
		group.Go(func() error {
			ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
			defer cancel()
			part(ctx)
			return nil
		})
	}
	if r.Past != nil && r.cluster != nil && r.facts.Cluster.Err == nil && !r.Settings.IsSingle() {
		read(pastLimit, r.past)
	}
	for _, part := range parts {
		read(limit, part)
	}
	_ = group.Wait() // The facts hold the errors.
	return *r.facts
}

// past rehearses on the stack's own past.
func (r *reader) past(ctx context.Context) {
	if r.Settings.Prometheus == "" {
		return
	}
	past, err := r.Past(ctx, r.Now())
	past.Err = err
	r.facts.Past = past
}

func (r *reader) connect(ctx context.Context) bool {
	cluster, err := r.Cluster()
	if err == nil {
		r.cluster, r.facts.Cluster.Origin = cluster, cluster.Origin()
		err = cluster.Check(ctx)
	}
	if err == nil {
		r.facts.Cluster.Version, err = cluster.Version(ctx)
	}
	r.facts.Cluster.Err = err
	return err == nil
}

func (r *reader) permissions(ctx context.Context) {
	needed := preflight.Needed(r.Settings)
	r.facts.Permissions = make([]preflight.Permission, len(needed))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, access := range needed {
		group.Go(func() error {
			allowed, err := r.cluster.Allowed(ctx, access.Verb, access.Group, access.Resource, access.Namespace, access.Name)
			r.facts.Permissions[i] = preflight.Permission{Access: access, Allowed: allowed, Err: err}
			return nil
		})
	}
	_ = group.Wait()
}

func (r *reader) namespace(ctx context.Context) {
	namespace, exists, err := r.cluster.NamespaceOwner(ctx, r.Settings.Namespace)
	r.facts.Namespace = preflight.Namespace{Exists: exists, Owner: namespace.Annotations[names.Owner], Err: err}
}

// secrets reads the states of the keys. A value is judged where it is read and goes no further.
func (r *reader) secrets(ctx context.Context) {
	secrets := map[string]preflight.Secret{}
	for name := range preflight.NeededSecrets(r.Settings) {
		keys, exists, err := r.cluster.SecretStates(ctx, r.Settings.Namespace, r.inUse(ctx, name), func(value string) string {
			switch {
			case strings.TrimSpace(value) == "":
				return preflight.KeyEmpty
			case settings.Secret(value).IsPlaceholder():
				return preflight.KeyPlaceholder
			default:
				return preflight.KeySet
			}
		})
		secrets[name] = preflight.Secret{Exists: exists, Keys: keys, Err: err}
	}
	r.facts.Secrets = secrets
}

// inUse is the name of the Secret that stable takes a secret of the stack from: the name of its content, where it has
// one.
func (r *reader) inUse(ctx context.Context, name string) string {
	deployment, exists, err := r.cluster.Deployment(ctx, r.Settings.Namespace, rollout.StableDeployment(r.Settings))
	if err != nil || !exists {
		return name
	}
	for i := range deployment.Spec.Template.Spec.Containers {
		for _, variable := range deployment.Spec.Template.Spec.Containers[i].Env {
			if from := variable.ValueFrom; from != nil && from.SecretKeyRef != nil &&
				strings.HasPrefix(from.SecretKeyRef.Name, name+"-") {
				return from.SecretKeyRef.Name
			}
		}
	}
	return name
}

func (r *reader) images(ctx context.Context) {
	ask := func(reference string) preflight.Image {
		if reference == "" {
			return preflight.Image{}
		}
		digest, err := r.Image(ctx, reference)
		return preflight.Image{Digest: digest, Err: err}
	}
	r.facts.Image = ask(r.Settings.Image)
	if !r.Settings.IsSingle() {
		r.facts.StableImage = ask(r.Settings.StableImage)
	}
}

func (r *reader) capacity(ctx context.Context) {
	rooms, err := r.cluster.Rooms(ctx)
	r.facts.Capacity.Err = err
	for _, room := range rooms {
		r.facts.Capacity.Nodes = append(r.facts.Capacity.Nodes, preflight.Node{Name: room.Node, CPU: room.CPU,
			Memory: room.Memory, Pods: room.Pods})
	}
	s := r.Settings
	if history, err := ledger.Read(ctx, rollout.LedgerIn(r.cluster, s)); err == nil {
		// A name that the settings do not go with comes all the same; the program refuses it.
		s, _ = rollout.Named(s, history.State(), names.Digest(s.Image))
	}
	deployment, exists, err := r.cluster.Deployment(ctx, s.Namespace, names.CanaryDeployment(s.App, s.Release))
	if err == nil && exists {
		r.facts.Capacity.Canary = int(deployment.Status.Replicas)
	}
	r.facts.Capacity.Err = errors.Join(r.facts.Capacity.Err, err)
}

func (r *reader) ledger(ctx context.Context) {
	history, err := ledger.Read(ctx, rollout.LedgerIn(r.cluster, r.Settings))
	r.facts.Ledger = preflight.Ledger{History: history, Err: err}
}

func (r *reader) backups(ctx context.Context) {
	look := func(configured string) preflight.Job {
		if configured == "" {
			return preflight.Job{}
		}
		namespace, name, _ := strings.Cut(configured, "/")
		at, exists, err := r.cluster.LastSuccess(ctx, namespace, name)
		return preflight.Job{Exists: exists, Succeeded: at, Err: err}
	}
	r.facts.DatabaseBackup = look(r.Settings.Preflight.DatabaseBackup)
	r.facts.EventStoreBackup = look(r.Settings.Preflight.EventStoreBackup)
}

func (r *reader) staging(ctx context.Context) {
	r.facts.Staging.Verified, r.facts.Staging.Err = r.Staging(ctx)
}
