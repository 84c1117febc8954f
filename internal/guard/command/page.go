package command

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/prometheus"
)

// PagePath is where the guard serves the page of its rollouts.
const PagePath = "/dashboard/"

// Page makes what serves the page of a guard's rollouts below [PagePath]. It looks until the context ends.
type Page func(ctx context.Context, source PageSource) http.Handler

// PageSource is where the page has its content from. It reads and writes nothing.
type PageSource struct {
	// Identity distinguishes this guard from others, Lease is the name of the Lease that elects the leader.
	Identity, Lease string
	Watcher         Watcher
	Cluster         PageCluster
	// Prometheus connects to the server of a configuration.
	Prometheus func(endpoint string) (PageServer, error)
	// Token gives the token that readers must know.
	Token  func() (string, error)
	Logger *slog.Logger
	Now    func() time.Time
}

// Watcher is what a guard shows of its rollouts; [guard.Guard] implements it.
type Watcher interface {
	Rollouts() []guard.Seen
	History(ctx context.Context, config guard.Config) (*ledger.Ledger, error)
}

// PageCluster is what a page reads of the cluster, and what the guard's Role allows; internal/kube's Client implements
// it.
type PageCluster interface {
	Endpoints(ctx context.Context, namespace, service string) ([]string, error)
	LeaseHolder(ctx context.Context, namespace, name string) (holder string, renewed time.Time, err error)
	ConfigMap(ctx context.Context, namespace, name string) (data map[string]string, version string, err error)
}

// PageServer is what a page asks Prometheus.
type PageServer interface {
	Ask(ctx context.Context, query string, at time.Time) (model.Value, error)
	Range(ctx context.Context, query string, start, end time.Time, step time.Duration) (model.Matrix, error)
}

// handler is what the guard serves: its own, and beside it the page where there is a token for it.
func (f *guardFlags) handler(ctx context.Context, own http.Handler, watcher *guard.Guard, client *kube.Client,
	logger *slog.Logger) http.Handler {
	if f.dashboardTokenFile == "" || f.page == nil {
		return own
	}
	reach := f.reach(client)
	mux := http.NewServeMux()
	mux.Handle("/", own)
	mux.Handle(PagePath, f.page(ctx, PageSource{
		Identity: f.identity, Lease: f.lease, Watcher: watcher, Cluster: client, Logger: logger, Now: time.Now,
		Prometheus: func(endpoint string) (PageServer, error) {
			client, address, err := reach(guard.SourcePrometheus, endpoint)
			if err != nil {
				return nil, err
			}
			return prometheus.NewClient(client, address)
		},
		Token: func() (string, error) { return readSmall(f.dashboardTokenFile) },
	}))
	return mux
}
