package recovery

import (
	"context"
	"fmt"
	"strings"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// Options of a rollback. They decide about the Deployment of the canary once it is out of traffic.
const (
	// Scale keeps the Deployment without pods.
	Scale = "scale"
	// Delete deletes it.
	Delete = "delete"
	// Undo gives it the template of an earlier revision, without pods. That revision gets requests only through the
	// advance gate.
	Undo = "undo"
)

// OptionNames lists the options.
func OptionNames() []string { return []string{Scale, Delete, Undo} }

// OptionCluster is the part of internal/kube's Client that the options need.
type OptionCluster interface {
	DeleteDeployment(ctx context.Context, namespace, name string) error
	UndoTo(ctx context.Context, namespace, name string, revision kube.Revision) error
}

// Choice is a checked option.
type Choice struct {
	Option string
	// Revision is the target of Undo.
	Revision kube.Revision
}

// Choose checks an option. The number to is the revision for Undo, 0 for the one before the present one. A latched
// revision is refused, and so is one with the image of the present revision.
func Choose(option string, to int, canary Canary, revisions []kube.Revision, state *ledger.State) (Choice, error) {
	switch option {
	case Scale, Delete:
		if to != 0 {
			return Choice{}, fmt.Errorf("--to-revision %d needs --option %s, not %s", to, Undo, option)
		}
		return Choice{Option: option}, nil
	case Undo:
	default:
		return Choice{}, fmt.Errorf("option %q: allowed are %s", option, strings.Join(OptionNames(), ", "))
	}
	revision, err := choose(to, canary, revisions)
	if err != nil {
		return Choice{}, err
	}
	digest := names.Digest(revision.Image)
	if state != nil {
		if latch, latched := state.Latch(digest); latched {
			return Choice{}, fmt.Errorf("revision %d runs %s, which was rolled back itself at %s by %s: %s; choose another "+
				"revision, or --option %s",
				revision.Number, revision.Image, latch.Time.Format("2006-01-02 15:04"), latch.Who, latch.Reason, Scale)
		}
	}
	if digest == canary.Image {
		return Choice{}, fmt.Errorf("revision %d has the present image, %s, and another configuration, which the next "+
			"`pulumi up` would overwrite: use --option %s and correct the configuration", revision.Number, revision.Image, Scale)
	}
	return Choice{Option: Undo, Revision: revision}, nil
}

func choose(to int, canary Canary, revisions []kube.Revision) (kube.Revision, error) {
	var known []string
	var before, named *kube.Revision
	for i := range revisions {
		revision := &revisions[i]
		known = append(known, fmt.Sprintf("%d (%s)", revision.Number, revision.Image))
		if revision.Number == to {
			named = revision
		}
		if !revision.Present {
			before = revision
		}
	}
	list := "its revisions are " + strings.Join(known, ", ")
	if len(known) == 0 {
		list = "it has no revisions"
	}
	switch {
	case to == 0 && before == nil:
		return kube.Revision{}, fmt.Errorf("deployment %s has no revision before the present one; %s: use --option %s",
			canary.Deployment, list, Scale)
	case to == 0:
		return *before, nil
	case named == nil:
		return kube.Revision{}, fmt.Errorf("deployment %s has no revision %d; %s", canary.Deployment, to, list)
	case named.Present:
		return kube.Revision{}, fmt.Errorf("revision %d is the present one of deployment %s; %s", to, canary.Deployment,
			list)
	default:
		return *named, nil
	}
}

// Apply sets the step of the rollback that removes the pods.
func (c Choice) Apply(options *rollback.Options, cluster OptionCluster) {
	namespace, name := options.Namespace, options.Deployment
	switch c.Option {
	case Delete:
		options.RemoveName = "delete canary"
		options.Remove = func(ctx context.Context) (string, error) {
			return name, cluster.DeleteDeployment(ctx, namespace, name)
		}
	case Undo:
		options.RemoveName = "undo canary"
		options.Remove = func(ctx context.Context) (string, error) {
			return fmt.Sprintf("%s at revision %d without pods, %s", name, c.Revision.Number, c.Revision.Image),
				cluster.UndoTo(ctx, namespace, name, c.Revision)
		}
	}
}

// Config returns the configuration for the position after the rollback; an empty value removes the key. Built is true
// when the stack builds its image itself, which then has no key to change.
func (c Choice) Config(built bool) map[string]string {
	config := map[string]string{"canaryWeight": "0"}
	switch {
	case built:
	case c.Option == Delete:
		config["image"] = ""
	case c.Option == Undo:
		config["image"] = c.Revision.Image
	}
	return config
}

// Kubectl returns the guide's command for the option.
func (c Choice) Kubectl(namespace, deployment string) string {
	switch c.Option {
	case Delete:
		return fmt.Sprintf("kubectl delete deployment %s -n %s", deployment, namespace)
	case Undo:
		return fmt.Sprintf("kubectl rollout undo deployment/%s -n %s --to-revision=%d", deployment, namespace,
			c.Revision.Number)
	default:
		return fmt.Sprintf("kubectl scale deployment %s -n %s --replicas=0", deployment, namespace)
	}
}
