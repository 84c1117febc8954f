package recovery

import (
	"context"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// Cluster is the part of internal/kube's Client that a recovery needs besides the rollout's own.
type Cluster interface {
	rollback.Cluster
	verify.Cluster
	OptionCluster
	ledger.ConfigMaps
	Deployments(ctx context.Context, namespace string, selector map[string]string) ([]appsv1.Deployment, error)
	Revisions(ctx context.Context, namespace, deployment string) ([]kube.Revision, error)
	ForgetUndo(ctx context.Context, namespace, deployment string) error
	// EventTexts returns the events of objects whose names have the prefix, one line each, beginning with the time.
	EventTexts(ctx context.Context, namespace, prefix string) ([]string, error)
}

// Stack is the part of internal/cli/stack's Stack that a recovery needs.
type Stack interface {
	// Settle sets values of the configuration, removes those that are empty, and runs `pulumi up --refresh`.
	Settle(ctx context.Context, values map[string]string, progress io.Writer) error
	// WithSecrets returns the settings with the stack's secrets.
	WithSecrets(ctx context.Context) (*settings.Settings, error)
}

// Operation is an operator's rollback of one stack.
type Operation struct {
	Rollout *rollout.Rollout
	Cluster Cluster
	Stack   Stack
	// StackName appears in commands.
	StackName string
	// Output takes the output of the Pulumi CLI.
	Output io.Writer
	// Progress reports the next step in a sentence.
	Progress func(text string)

	secrets *pendingSecrets
}

// Selection is the operator's choice on the command line.
type Selection struct {
	// Release is the release to roll back, empty for the one on trial.
	Release string
	// Option is one of OptionNames; ToRevision is the revision for Undo, 0 for the one before the present one.
	Option     string
	ToRevision int
}

// Plan is a rollback that is ready to run.
type Plan struct {
	Canary Canary `json:"canary"`
	Choice Choice `json:"-"`
	// Nothing is true when there is nothing to roll back: the canary is out, and the stack reflects that.
	Nothing bool `json:"nothing"`
}

// SelectionError marks a selection that does not fit the stack.
type SelectionError struct{ Err error }

// Error implements error.
func (e *SelectionError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *SelectionError) Unwrap() error { return e.Err }

// Prepare finds the canary to roll back and checks the selection; it changes nothing. An unreadable ledger is reported
// and does not stop a rollback. A selection that does not fit is a *SelectionError.
//
// Prepare also asks for the stack's secrets in the background: Run redacts them from the evidence.
func (o *Operation) Prepare(ctx context.Context, selection Selection) (Plan, error) {
	o.secrets = fetchSecrets(ctx, o.Stack)
	state, canary, err := o.onTrial(ctx, selection.Release)
	if err != nil {
		return Plan{}, err
	}
	namespace := o.Rollout.Settings.Namespace
	revisions, err := o.Cluster.Revisions(ctx, namespace, canary.Deployment)
	if err != nil && selection.Option == Undo {
		return Plan{}, err
	}
	choice, err := Choose(selection.Option, selection.ToRevision, canary, revisions, state)
	if err != nil {
		return Plan{}, &SelectionError{err}
	}
	record, _, err := o.Cluster.ConfigMap(ctx, namespace, names.Record(o.Rollout.Settings.App))
	if err != nil {
		return Plan{}, err
	}
	// The record is written by an update that passed its gate. Until it says 0, the stack does not reflect a rollback.
	settled := record["weight"] == "" || record["weight"] == "0"
	return Plan{
		Canary: canary, Choice: choice,
		Nothing: canary.Out && settled && o.Rollout.Settings.Position().Weight == 0,
	}, nil
}

// onTrial finds the canary to roll back. The state is nil when the ledger cannot be read.
func (o *Operation) onTrial(ctx context.Context, release string) (*ledger.State, Canary, error) {
	s := o.Rollout.Settings
	facts := Facts{App: s.App, Wanted: release, Configured: s.Release}
	history, err := ledger.Read(ctx, o.Rollout.Ledger())
	if err != nil {
		o.Progress("warning: " + err.Error())
	} else {
		state := history.State()
		facts.State = &state
	}
	if facts.Deployments, err = o.Cluster.Deployments(ctx, s.Namespace, names.CanaryLabels(s.App)); err != nil {
		return nil, Canary{}, err
	}
	canary, err := Find(facts)
	if err != nil {
		return nil, canary, &SelectionError{err}
	}
	return facts.State, canary, nil
}

// Question describes the plan to the person who confirms it.
func (o *Operation) Question(plan Plan, origin string) string {
	s := o.Rollout.Settings
	return fmt.Sprintf("%s %s has %d %% of the requests and %d pods in %s at %s.\nIts image %s will be latched. "+
		"By hand this would be %#q.\nRoll back?", s.App, plan.Canary.Release, plan.Canary.Weight, plan.Canary.Desired,
		s.Namespace,
		origin, plan.Canary.Image, plan.Choice.Kubectl(s.Namespace, plan.Canary.Deployment))
}
