package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/redact"
)

const (
	// keepEvidence is the number of archives that are kept for an app.
	keepEvidence = 5
	// logLines and logBytes bound a log, archiveBytes the compressed archive.
	logLines     = 500
	logBytes     = 128 << 10
	archiveBytes = 700 << 10
	// restBytes is the part of the archive for all but the pods.
	restBytes = 60 << 10
	// mostPods bounds the pods that are collected.
	mostPods = 20
	// mostEvents bounds the events, the newest of which are kept.
	mostEvents = 500
	// readers is the number of logs that are read at a time, packers that of the pods that are redacted and compressed:
	// together they bound the memory.
	readers = 8
	packers = 2
)

// Time limits of the evidence. A node that hangs costs the logs of its pods and nothing else.
const (
	logLimit      = 3 * time.Second
	collectLimit  = 8 * time.Second
	packLimit     = 7 * time.Second
	saveLimit     = 5 * time.Second
	evidenceLimit = collectLimit + packLimit + saveLimit
)

// Evidence is the state of a canary at its rollback.
type Evidence struct {
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	// Numbers are the numbers behind the decision, by the name of their source.
	Numbers map[string]string `json:"numbers,omitempty"`
	Pods    []PodEvidence     `json:"pods,omitempty"`
	Events  []string          `json:"events,omitempty"`
	// Missing names the parts that could not be collected, with the error of each.
	Missing []string `json:"missing,omitempty"`
}

// PodEvidence is the state of a pod. It holds only the images of the specification: environments hold credentials.
type PodEvidence struct {
	Name   string            `json:"name"`
	Images []string          `json:"images"`
	Status corev1.PodStatus  `json:"status"`
	Labels map[string]string `json:"labels"`
	// Logs are by container; the log before the last restart has the suffix " (previous)".
	Logs map[string]string `json:"logs,omitempty"`
}

// evidence collects and stores the evidence. Missing parts are named in it and stop nothing: whatever was collected in
// time is stored.
func (r *run) evidence(ctx context.Context) (string, error) {
	if r.options.Kept != "" {
		r.outcome.Evidence = r.options.Kept
		return r.options.Kept + ", stored before", nil
	}
	defer r.keepIsolated(ctx)()
	evidence := Evidence{Time: r.options.Now().UTC(), Reason: r.options.Reason, Numbers: r.options.Numbers}
	redactor := redact.New(r.options.Secrets)
	collecting, cancel := context.WithTimeoutCause(ctx, collectLimit, fmt.Errorf("not collected within %v", collectLimit))
	defer cancel()
	archive, pods, err := r.collect(collecting, &evidence, redactor)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s-evidence-%s", r.options.App, evidence.Time.Format("20060102-150405"))
	// The limit of the step is the sum of its parts'. The save has a limit of its own in case a part took longer.
	saving, stop := context.WithTimeoutCause(context.WithoutCancel(ctx), saveLimit,
		fmt.Errorf("not saved within %v", saveLimit))
	defer stop()
	if err := r.cluster.SaveEvidence(saving, r.options.Namespace, name, r.options.App, archive, keepEvidence); err != nil {
		return "", err
	}
	r.outcome.Evidence = name
	done := fmt.Sprintf("%s, %d pods, %d events", name, pods, len(evidence.Events))
	if len(evidence.Missing) > 0 {
		return done, errors.New("incomplete: " + strings.Join(evidence.Missing, "; "))
	}
	return done, nil
}

// collect reads all parts at the same time and packs each pod as soon as it is read. It returns the archive and the
// number of pods in it.
func (r *run) collect(ctx context.Context, evidence *Evidence, redactor redact.Redactor) ([]byte, int, error) {
	var events []string
	var eventsErr error
	var listing sync.WaitGroup
	listing.Go(func() {
		events, eventsErr = r.cluster.EventTexts(ctx, r.options.Namespace, r.options.Deployment)
	})
	pods, err := r.cluster.AllPods(ctx, r.options.Namespace, r.options.Canary)
	evidence.miss("pods", err)
	if len(pods) > mostPods {
		evidence.miss("pods", fmt.Errorf("%d more than the %d that are collected", len(pods)-mostPods, mostPods))
		pods = pods[:mostPods]
	}
	packed, missing := r.packPods(ctx, pods, redactor)
	for i := range packed {
		evidence.Missing = append(evidence.Missing, missing[i]...)
	}
	listing.Wait()
	evidence.miss("events", eventsErr)
	evidence.Events = events[max(0, len(events)-mostEvents):]
	archive, err := evidence.pack(packed, redactor)
	return archive, len(packed), err
}

// packPods collects and packs the pods, and returns the members of the archive and what is missing of each pod.
func (r *run) packPods(ctx context.Context, pods []corev1.Pod, redactor redact.Redactor) (members [][]byte,
	missing [][]string) {
	members, missing = make([][]byte, len(pods)), make([][]string, len(pods))
	reading, packing := make(chan struct{}, readers), make(chan struct{}, packers)
	room := (archiveBytes - restBytes) / max(len(pods), 1)
	var working sync.WaitGroup
	for i := range pods {
		working.Go(func() {
			state, lacks := r.pod(ctx, &pods[i], reading, redactor)
			packing <- struct{}{}
			defer func() { <-packing }()
			member, lack, err := packPod(state, room, redactor)
			if err != nil {
				lack = fmt.Sprintf("pod %s: %v", pods[i].Name, err)
			}
			if members[i] = member; lack != "" {
				lacks = append(lacks, lack)
			}
			missing[i] = lacks
		})
	}
	working.Wait()
	return slices.DeleteFunc(members, func(member []byte) bool { return member == nil }), missing
}

func (e *Evidence) miss(what string, err error) {
	if err != nil {
		e.Missing = append(e.Missing, what+": "+err.Error())
	}
}

// pod collects the state and the logs of a pod, and names what is missing.
func (r *run) pod(ctx context.Context, pod *corev1.Pod, reading chan struct{}, redactor redact.Redactor) (PodEvidence,
	[]string) {
	state := PodEvidence{Name: pod.Name, Status: pod.Status, Labels: pod.Labels, Logs: map[string]string{}}
	for _, container := range pod.Spec.Containers {
		state.Images = append(state.Images, container.Image)
	}
	var mu sync.Mutex
	var lacks []string
	var logs sync.WaitGroup
	read := func(container string, previous bool, key, what string) {
		logs.Go(func() {
			text, err := r.log(ctx, pod.Name, container, previous, reading, redactor)
			mu.Lock()
			defer mu.Unlock()
			if state.Logs[key] = text; err != nil {
				lacks = append(lacks, fmt.Sprintf("%s of %s: %v", what, pod.Name, err))
			}
		})
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting == nil || status.RestartCount > 0 {
			read(status.Name, false, status.Name, "log")
		}
		if status.RestartCount > 0 {
			read(status.Name, true, status.Name+" (previous)", "previous log")
		}
	}
	logs.Wait()
	slices.Sort(lacks)
	return state, lacks
}

// log reads the end of a log. It is redacted before it is cut: half a credential would not be recognized. A reader that
// hangs gives its place up with the log's limit, so that the others get theirs.
func (r *run) log(ctx context.Context, pod, container string, previous bool, reading chan struct{},
	redactor redact.Redactor) (string, error) {
	select {
	case reading <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { <-reading }()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, logLimit, fmt.Errorf("not read within %v", logLimit))
	defer cancel()
	text, err := r.cluster.Logs(ctx, r.options.Namespace, pod, container, previous, logLines)
	if err != nil {
		err = errors.Join(err, context.Cause(ctx))
	}
	return end(redactor.Text(text), logBytes), err
}

// end cuts a text to its end, where the failure is. It cuts between lines.
func end(text string, most int) string {
	if len(text) <= most {
		return text
	}
	text = strings.ToValidUTF8(text[len(text)-most:], "")
	if _, lines, ok := strings.Cut(text, "\n"); ok {
		text = lines
	}
	return "…" + text
}
