// Package guarded serves the dashboard's page of the rollouts that a guard watches. The page shows what the guard sees:
// it reads by the guard's Role, asks the guard's Prometheus and writes nothing.
package guarded

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/cli/dashboard"
	"github.com/vextrus/finance-rollout/internal/guard/command"
)

// every is the time between two looks at a rollout while somebody looks at its page.
const every = time.Second

// pages are the pages of a guard's rollouts, by the names of their configurations. A page begins when it is first asked
// for.
type pages struct {
	source command.PageSource
	// running is the context of the looks.
	running context.Context

	mu   sync.Mutex
	open map[string]http.Handler
}

// New makes a [command.Page]: a list of the rollouts, or the way to the only one, and a page for each.
func New(ctx context.Context, source command.PageSource) http.Handler {
	p := &pages{source: source, running: ctx, open: map[string]http.Handler{}}
	mux := http.NewServeMux()
	mux.HandleFunc(command.PagePath+"{$}", p.list)
	mux.HandleFunc(command.PagePath+"{rollout}/", p.rollout)
	return dashboard.Protect(dashboard.Access{Token: source.Token, Anywhere: true,
		Hint: "open " + command.PagePath + "?token=TOKEN with the token of config guard.dashboardToken"}, mux)
}

func (p *pages) names() []string {
	var list []string
	for _, seen := range p.source.Watcher.Rollouts() {
		list = append(list, seen.Name)
	}
	return list
}

func (p *pages) list(w http.ResponseWriter, _ *http.Request) {
	rollouts := p.names()
	if len(rollouts) == 1 {
		w.Header().Set("Location", rollouts[0]+"/")
		w.WriteHeader(http.StatusFound)
		return
	}
	dashboard.List(w, rollouts)
}

func (p *pages) rollout(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("rollout")
	page := p.page(name)
	if page == nil {
		http.NotFound(w, r)
		return
	}
	http.StripPrefix(command.PagePath+name, page).ServeHTTP(w, r)
}

// page is a rollout's page; nil for one that the guard does not watch.
func (p *pages) page(name string) http.Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	page := p.open[name]
	if page == nil && slices.Contains(p.names(), name) {
		look := &look{source: p.source, name: name}
		watch := dashboard.NewWatch(dashboard.Source{Status: look.status, Charts: look.charts, Evidence: look.evidence,
			Forecast: look.forecast}, every, p.source.Logger)
		go watch.Run(p.running)
		page = dashboard.NewPage(watch)
		p.open[name] = page
	}
	return page
}
