package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Cluster is what a rollback needs of the cluster.
type Cluster interface {
	Deployments
	// AllPods lists the pods that carry all the labels, ready or not.
	AllPods(ctx context.Context, namespace string, labels map[string]string) ([]corev1.Pod, error)
	// LabelPods labels the pods that carry all the labels of selector, and names those that it changed.
	LabelPods(ctx context.Context, namespace string, selector map[string]string, key, value string) ([]string, error)
	// Endpoints names the pods that a Service sends requests to.
	Endpoints(ctx context.Context, namespace, service string) ([]string, error)
	// Logs gives the end of a container's log.
	Logs(ctx context.Context, namespace, pod, container string, previous bool, tail int64) (string, error)
	// EventTexts lists the events of the objects whose names begin with prefix.
	EventTexts(ctx context.Context, namespace, prefix string) ([]string, error)
	// SaveEvidence keeps a compressed archive under the name, and at most the newest few of the app.
	SaveEvidence(ctx context.Context, namespace, name, app string, archive []byte, keep int) error
}

// Recorder keeps the history of the rollout.
type Recorder interface {
	// Begin notes that the image is being rolled back, which latches it.
	Begin(ctx context.Context, reason string) error
	// Finish notes the outcome.
	Finish(ctx context.Context, outcome Outcome) error
}

// Options say what to roll back.
type Options struct {
	Namespace, App, Service string
	// Canary selects the canary's pods, by their labels: whoever gets the canary's requests loses them, and is in the
	// evidence, whether he is of its Deployment or only wears its labels. Deployment is theirs, StableDeployment that of
	// the stable track.
	Canary                       map[string]string
	Deployment, StableDeployment string
	// Capacity is the number of stable pods that the plan says can take all requests. A rollback never shrinks stable:
	// where more are live, that number counts.
	Capacity int
	// Divert takes the requests away from the canary before its pods are isolated; nil where its pods alone decide.
	Divert func(ctx context.Context) (done string, err error)
	// LabelKey and LabelValue take a pod out of the Service.
	LabelKey, LabelValue string
	// Reason is why, with its numbers; Numbers are kept with the evidence.
	Reason  string
	Numbers map[string]string
	// Kept is the evidence that an earlier try has kept; empty where there is none yet.
	Kept string
	// Secrets are values that must not stand in the evidence.
	Secrets []string
	// Remove takes the canary's pods away when the evidence is kept; nil scales its Deployment to 0. It may be called
	// again.
	Remove func(ctx context.Context) (done string, err error)
	// RemoveName is what that step is called; empty for scaling to 0.
	RemoveName string
	// OnStep is told of every step when it is over; nil for nobody.
	OnStep func(Step)
	// Now is the clock.
	Now func() time.Time
}

// Names of steps: the first one latches the image, after isolateStep no request reaches the canary.
const (
	noteStep     = "note the intent"
	isolateStep  = "isolate"
	evidenceStep = "evidence"
	recordStep   = "record"
)

// Limits of the steps. They are generous: a step that takes as long is broken.
const (
	noteLimit     = 5 * time.Second
	isolateLimit  = 20 * time.Second
	capacityLimit = 3 * time.Minute
	evidenceLimit = 30 * time.Second
	pause         = 100 * time.Millisecond
)

// Step is one step's outcome.
type Step struct {
	Name string
	// Done says what was done; Err why it was not.
	Done string
	Err  error
	Took time.Duration
}

// Outcome is what a rollback did.
type Outcome struct {
	Reason string
	Steps  []Step
	// Evidence is the name under which it was kept; empty when there is none.
	Evidence string
}

// Err joins what went wrong; nil when everything was done.
func (o Outcome) Err() error {
	var failed []error
	for _, step := range o.Steps {
		if step.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", step.Name, step.Err))
		}
	}
	return errors.Join(failed...)
}

// String is the outcome for people, one line a step.
func (o Outcome) String() string {
	lines := []string{"rolled back: " + o.Reason}
	for _, step := range o.Steps {
		lines = append(lines, step.String())
	}
	return strings.Join(lines, "\n")
}

// String is the step in a line.
func (s Step) String() string {
	text := s.Done
	if s.Err != nil {
		text = strings.TrimSpace(text + " FAILED: " + s.Err.Error())
	}
	return fmt.Sprintf("  %-18s %6s  %s", s.Name, s.Took.Round(10*time.Millisecond), text)
}

// unnoted tells that the intent was not noted.
func (o Outcome) unnoted() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name == noteStep && step.Err != nil })
}

// Undone tells that a step failed which another try can do: evidence that is incomplete stays so.
func (o Outcome) Undone() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name != evidenceStep && step.Err != nil })
}

// Recorded tells that the ledger holds the outcome.
func (o Outcome) Recorded() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name == recordStep && step.Err == nil })
}

// OutOfTraffic is how long it took from the beginning until no endpoint of the canary was left. The second result is
// false when some may be left.
func (o Outcome) OutOfTraffic() (time.Duration, bool) {
	var took time.Duration
	for _, step := range o.Steps {
		took += step.Took
		if step.Name == isolateStep {
			return took, step.Err == nil
		}
	}
	return took, false
}

// Run rolls the canary back. The outcome tells of every step; its Err is nil when all of them were done.
func Run(ctx context.Context, cluster Cluster, recorder Recorder, options Options) Outcome {
	r := &run{cluster: cluster, options: options, outcome: Outcome{Reason: options.Reason}}
	r.step(ctx, noteStep, noteLimit, func(ctx context.Context) (string, error) {
		return "the image is latched", recorder.Begin(ctx, options.Reason)
	})
	if options.Divert != nil {
		r.step(ctx, "divert", isolateLimit, options.Divert)
	}
	r.step(ctx, isolateStep, isolateLimit, r.isolate)
	r.step(ctx, "restore stable", capacityLimit, r.restore)
	r.step(ctx, evidenceStep, evidenceLimit, r.evidence)
	name, remove := options.RemoveName, options.Remove
	if remove == nil {
		name, remove = "scale canary to 0", func(ctx context.Context) (string, error) {
			return options.Deployment, cluster.Scale(ctx, options.Namespace, options.Deployment, 0)
		}
	}
	r.step(ctx, name, isolateLimit, remove)
	r.step(ctx, recordStep, isolateLimit, func(ctx context.Context) (string, error) {
		return "in the ledger", recorder.Finish(ctx, r.outcome)
	})
	return r.outcome
}

type run struct {
	cluster Cluster
	options Options
	outcome Outcome
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

// isolate takes the canary's pods out of the Service and goes on until none of them is among its endpoints: a pod
// that is made meanwhile is caught by the next round.
func (r *run) isolate(ctx context.Context) (string, error) {
	var isolated []string
	for {
		changed, labelErr := r.cluster.LabelPods(ctx, r.options.Namespace, r.options.Canary, r.options.LabelKey,
			r.options.LabelValue)
		isolated = append(isolated, changed...)
		left, err := r.endpointsLeft(ctx)
		if err == nil && labelErr == nil && len(left) == 0 {
			return fmt.Sprintf("%d pods, no endpoint is left", len(isolated)), nil
		}
		select {
		case <-ctx.Done():
			return fmt.Sprintf("%d pods", len(isolated)),
				fmt.Errorf("endpoints left: %s: %w", strings.Join(left, ", "), errors.Join(labelErr, err, context.Cause(ctx)))
		case <-time.After(pause):
		}
	}
}

// endpointsLeft names the canary's pods among the Service's endpoints.
func (r *run) endpointsLeft(ctx context.Context) ([]string, error) {
	endpoints, err := r.cluster.Endpoints(ctx, r.options.Namespace, r.options.Service)
	if err != nil {
		return nil, err
	}
	pods, err := r.cluster.AllPods(ctx, r.options.Namespace, r.options.Canary)
	if err != nil {
		return nil, err
	}
	var left []string
	for i := range pods {
		if slices.Contains(endpoints, pods[i].Name) {
			left = append(left, pods[i].Name)
		}
	}
	return left, nil
}

func (r *run) restore(ctx context.Context) (string, error) {
	replicas, err := growStable(ctx, r.cluster, r.options)
	if replicas == 0 {
		return "", err
	}
	return fmt.Sprintf("%s at %d pods", r.options.StableDeployment, replicas), err
}
