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

// Options of a rollback: what becomes of the canary's pods once they have no requests.
const (
	// Scale keeps the Deployment without pods.
	Scale = "scale"
	// Delete deletes it.
	Delete = "delete"
	// Undo gives it the template of an earlier revision, without pods: that one gets requests through the advance gate
	// only.
	Undo = "undo"
)

// OptionNames lists them.
func OptionNames() []string { return []string{Scale, Delete, Undo} }

// Deployments is what the options need of the cluster; internal/kube's Client.
type Deployments interface {
	DeleteDeployment(ctx context.Context, namespace, name string) error
	UndoTo(ctx context.Context, namespace, name string, revision kube.Revision) error
}

// Choice is an option with what it needs.
type Choice struct {
	Option string
	// Revision is the one that Undo goes back to.
	Revision kube.Revision
}

// Choose checks an option against what there is. To is the number of the revision for Undo, 0 for the one before.
func Choose(option string, to int, canary Canary, revisions []kube.Revision, state *ledger.State) (Choice, error) {
	switch option {
	case Scale, Delete:
		if to != 0 {
			return Choice{}, fmt.Errorf("--to-revision %d belongs to --option %s, not to %s", to, Undo, option)
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
			return Choice{}, fmt.Errorf("revision %d runs %s, which was itself rolled back at %s by %s: %s; choose another "+
				"revision, or --option %s",
				revision.Number, revision.Image, latch.Time.Format("2006-01-02 15:04"), latch.Who, latch.Reason, Scale)
		}
	}
	if digest == canary.Image {
		return Choice{}, fmt.Errorf("revision %d runs the same image as now, %s, and differs in its configuration alone, "+
			"which `pulumi up` would bring back: "+
			"use --option %s and correct the configuration", revision.Number, revision.Image, Scale)
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
	list := "it has " + strings.Join(known, ", ")
	if len(known) == 0 {
		list = "it has none"
	}
	switch {
	case to == 0 && before == nil:
		return kube.Revision{}, fmt.Errorf("deployment %s has no revision before the present one to go back to; %s: use "+
			"--option %s", canary.Deployment, list, Scale)
	case to == 0:
		return *before, nil
	case named == nil:
		return kube.Revision{}, fmt.Errorf("deployment %s has no revision %d; %s", canary.Deployment, to, list)
	case named.Present:
		return kube.Revision{}, fmt.Errorf("revision %d is the one that deployment %s runs now; %s", to, canary.Deployment,
			list)
	default:
		return *named, nil
	}
}

// Apply makes the rollback take the pods away by the choice.
func (c Choice) Apply(options *rollback.Options, deployments Deployments) {
	namespace, name := options.Namespace, options.Deployment
	switch c.Option {
	case Delete:
		options.RemoveName = "delete canary"
		options.Remove = func(ctx context.Context) (string, error) {
			return name, deployments.DeleteDeployment(ctx, namespace, name)
		}
	case Undo:
		options.RemoveName = "undo canary"
		options.Remove = func(ctx context.Context) (string, error) {
			return fmt.Sprintf("%s at revision %d without pods, %s", name, c.Revision.Number, c.Revision.Image),
				deployments.UndoTo(ctx, namespace, name, c.Revision)
		}
	}
}

// Config is what the stack's configuration must say for the position that the rollback made, by key; an empty value
// removes the key. Built tells that the image is built by the stack, and named by a tag.
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

// Kubectl is the guide's command for the same option.
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
