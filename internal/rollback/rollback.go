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
	// LabelPods labels the pods that carry all the labels of selector and returns the names of those that it changed.
	LabelPods(ctx context.Context, namespace string, selector map[string]string, key, value string) ([]string, error)
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
	isolateStep  = "isolate"
	evidenceStep = "evidence"
	recordStep   = "record"
)

// Time limits of the steps. They are generous: a step that takes as long is broken.
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
	// Done is the part that was done, in words; Err is why the rest was not, nil for nothing left.
	Done string
	Err  error
	Took time.Duration
}

// Outcome is the result of a rollback.
type Outcome struct {
	Reason string
	Steps  []Step
	// Evidence is the name of the stored evidence; empty for none.
	Evidence string
}

// Err joins the errors of all steps; nil when none failed.
func (o Outcome) Err() error {
	var failed []error
	for _, step := range o.Steps {
		if step.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", step.Name, step.Err))
		}
	}
	return errors.Join(failed...)
}

// String is the outcome for people, with one line for each step.
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

// unnoted reports whether the intent could not be recorded.
func (o Outcome) unnoted() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name == noteStep && step.Err != nil })
}

// Undone reports whether another try can complete a failed step. Evidence that is incomplete stays incomplete.
func (o Outcome) Undone() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name != evidenceStep && step.Err != nil })
}

// Recorded reports whether the ledger holds the outcome.
func (o Outcome) Recorded() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name == recordStep && step.Err == nil })
}

// OutOfTraffic is the time from the start of the rollback until no endpoint of the canary was left. The second result
// is false when some endpoint may be left.
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

// Run rolls the canary back and returns the outcome of every step; a failed step does not stop the later ones.
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

// isolate takes the canary's pods out of the Service and repeats until none of them is among its endpoints: the next
// round catches a pod that was created meanwhile.
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

// endpointsLeft returns the names of the canary's pods among the Service's endpoints.
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
