package program

import (
	"fmt"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// siblings are the settings of the other rollouts of the stack, by the namespaces of their configuration. A mistake in
// one of them is for its own rollout to report.
func (p *program) siblings() map[string]*settings.Settings {
	of := configuration{p.ctx, p.scope}
	siblings := map[string]*settings.Settings{}
	for _, namespace := range of.namespaces() {
		source := configuration{p.ctx, scope{config: namespace}}
		if namespace == of.namespace() || !settings.IsRollout(source) {
			continue
		}
		siblings[namespace], _ = settings.Load(p.ctx.Stack(), source)
	}
	return siblings
}

// checkSiblings refuses what two rollouts of a stack cannot share: a Kubernetes namespace, because each of them would
// make it, with other labels and another history; and so few changes at a time that they wait for each other.
func (p *program) checkSiblings() error {
	s, siblings := p.settings, p.siblings()
	waiting := 0
	if !s.IsSingle() {
		waiting++
	}
	for namespace, other := range siblings {
		if other.Namespace == s.Namespace {
			return fmt.Errorf("%s:namespace and %s:namespace are both %s, and each rollout of a stack needs a namespace of its "+
				"own: `pulumi config set namespace NAME -s %s`", configuration{p.ctx, p.scope}.namespace(), namespace, s.Namespace,
				p.ctx.Stack())
		}
		if !other.IsSingle() {
			waiting++
		}
	}
	return p.checkParallel(waiting)
}
