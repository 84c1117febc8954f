package rollback

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// Cluster is what a rollback needs of the cluster.
type Cluster interface {
	Deployments
	// AllPods lists the pods that carry all the labels, ready or not.
	AllPods(ctx context.Context, namespace string, labels map[string]string) ([]corev1.Pod, error)
	// LabelPods labels the pods that carry all the labels of selector and returns the names of those that it changed.
	LabelPods(ctx context.Context, namespace string, selector map[string]string, key, value string) ([]string, error)
	// LabelPod labels one pod.
	LabelPod(ctx context.Context, namespace, pod, key, value string) error
	// EndPods deletes the pods that carry all the labels, with that much time to end, and returns how many it deleted.
	EndPods(ctx context.Context, namespace string, labels map[string]string, grace time.Duration) (ended int, err error)
	// Endpoints returns the names of the pods that a Service sends requests to.
	Endpoints(ctx context.Context, namespace, service string) ([]string, error)
	// Logs returns the last lines of a container's log; previous asks for the log before its last restart.
	Logs(ctx context.Context, namespace, pod, container string, previous bool, tail int64) (string, error)
	// EventTexts lists the events of the objects whose names start with prefix.
	EventTexts(ctx context.Context, namespace, prefix string) ([]string, error)
	// SaveEvidence stores a compressed archive under the name and deletes all but the newest keep archives of the app.
	SaveEvidence(ctx context.Context, namespace, name, app string, archive []byte, keep int) error
}

// Recorder records a rollback in the history of the rollout.
type Recorder interface {
	// Begin records the intent to roll the image back, which latches it.
	Begin(ctx context.Context, reason string) error
	// Finish records the outcome.
	Finish(ctx context.Context, outcome Outcome) error
}

// Options describe one rollback. Divert, Numbers, Kept, Secrets, Remove, RemoveName and OnStep are optional.
type Options struct {
	Namespace, App, Service string
	// Canary selects the canary's pods by their labels. A foreign pod with these labels takes the canary's requests too:
	// it is isolated and goes into the evidence as well. Deployment is the canary's, StableDeployment the stable track's.
	Canary                       map[string]string
	Deployment, StableDeployment string
	// Capacity is the number of stable pods that the plan says can take all requests. A rollback never shrinks stable:
	// where more are live, that number counts.
	Capacity int
	// Divert takes the requests away from the canary before its pods are isolated, and returns what it did; nil where the
	// number of pods alone splits the requests.
	Divert func(ctx context.Context) (done string, err error)
	// LabelKey and LabelValue are the label that takes a pod out of the Service.
	LabelKey, LabelValue string
	// Failing is the share of the canary's requests that fail now, from 0 to 1; 0 when it is not known. It decides how
	// many of the canary's pods may leave before stable has taken over; see [Options.least].
	Failing float64
	// AtOnce isolates all pods of the canary without a look at stable's capacity.
	AtOnce bool
	// Reason is the cause with its numbers; Numbers go into the evidence.
	Reason  string
	Numbers map[string]string
	// Kept is the name of the evidence that an earlier try stored; empty for none.
	Kept string
	// Secrets are values that must not appear in the evidence.
	Secrets []string
	// Remove deletes the canary's pods once the evidence is stored, and returns what it did. It must be idempotent. nil
	// scales the Deployment to 0.
	Remove func(ctx context.Context) (done string, err error)
	// RemoveName is the name of the step that calls Remove.
	RemoveName string
	// OnStep is called after every step; nil for no call.
	OnStep func(Step)
	// Now is the clock.
	Now func() time.Time
}

// Names of the steps that the code refers to. noteStep latches the image; after isolateStep no request reaches the
// canary.
const (
	noteStep     = "note the intent"
	askStep      = "ask stable"
	isolateStep  = "isolate"
	evidenceStep = "evidence"
	scaleStep    = "scale canary to 0"
	restoreStep  = "restore stable"
	recordStep   = "record"
)

// Time limits of the steps. They are generous: a step that takes as long is broken. The waits for stable come from its
// probes; see [run.patience] and [run.restoreLimit].
const (
	noteLimit    = 5 * time.Second
	askLimit     = 10 * time.Second
	divertLimit  = 20 * time.Second
	isolateLimit = 20 * time.Second
	removeLimit  = 20 * time.Second
	recordLimit  = 20 * time.Second
)

// Run rolls the canary back and returns the outcome of every step; a failed step does not stop the later ones. Stable
// is asked for its pods before anything is taken away, and waited for last: while the wait goes on the canary is gone,
// and its room is free.
func Run(ctx context.Context, cluster Cluster, recorder Recorder, options Options) Outcome {
	r := &run{cluster: cluster, options: options, outcome: Outcome{Reason: options.Reason}}
	r.step(ctx, noteStep, noteLimit, func(ctx context.Context) (string, error) {
		return "the image is latched", recorder.Begin(ctx, options.Reason)
	})
	r.step(ctx, askStep, askLimit, r.ask)
	if options.Divert != nil {
		r.step(ctx, "divert", divertLimit, options.Divert)
	}
	r.step(ctx, isolateStep, r.patience()+isolateLimit, r.isolate)
	r.step(ctx, evidenceStep, evidenceLimit, r.evidence)
	name := options.RemoveName
	if options.Remove == nil {
		name = scaleStep
	}
	r.step(ctx, name, removeLimit, r.remove)
	r.step(ctx, restoreStep, r.restoreLimit(), r.restore)
	r.step(ctx, recordStep, recordLimit, func(ctx context.Context) (string, error) {
		return "in the ledger", recorder.Finish(ctx, r.outcome)
	})
	return r.outcome
}

type run struct {
	cluster Cluster
	options Options
	outcome Outcome
	// wanted is the number of pods that stable is to have, stable its growth at the last look.
	wanted int
	stable podstate.Growth
	// refusals counts the looks in a row at which the cluster refused stable's pods, unseen those that failed.
	refusals, unseen int
	// removed is what was done to remove the canary's pods; empty while it was not done.
	removed string
}

func (r *run) step(ctx context.Context, name string, limit time.Duration, do func(context.Context) (string, error)) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	begin := r.options.Now()
	done, err := do(ctx)
	step := Step{Name: name, Done: done, Err: err, Took: r.options.Now().Sub(begin)}
	r.outcome.Steps = append(r.outcome.Steps, step)
	if r.options.OnStep != nil {
		r.options.OnStep(step)
	}
}

// remove removes the canary's pods, once: an isolation that failed has done so already.
func (r *run) remove(ctx context.Context) (string, error) {
	if r.removed != "" {
		return r.removed + ", before the evidence", nil
	}
	ended := r.hasten(ctx)
	done, err := r.removeNow(ctx)
	return done + ended, err
}

// removeNow removes the canary's pods. It may be repeated.
func (r *run) removeNow(ctx context.Context) (done string, err error) {
	if r.options.Remove != nil {
		done, err = r.options.Remove(ctx)
	} else {
		done, err = r.options.Deployment, r.cluster.Scale(ctx, r.options.Namespace, r.options.Deployment, 0)
	}
	if err == nil {
		r.removed = done
	}
	return done, err
}
