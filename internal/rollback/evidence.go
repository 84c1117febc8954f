package rollback

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// mostPods bounds the pods that are collected.
	mostPods = 20
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

// evidence collects and stores the evidence. Missing parts are named in it and stop nothing.
func (r *run) evidence(ctx context.Context) (string, error) {
	if r.options.Kept != "" {
		r.outcome.Evidence = r.options.Kept
		return r.options.Kept + ", stored before", nil
	}
	evidence := Evidence{Time: r.options.Now().UTC(), Reason: r.options.Reason, Numbers: r.options.Numbers}
	redactor := redact.New(r.options.Secrets)
	pods, err := r.cluster.AllPods(ctx, r.options.Namespace, r.options.Canary)
	evidence.miss("pods", err)
	for i := range pods[:min(len(pods), mostPods)] {
		evidence.Pods = append(evidence.Pods, r.pod(ctx, &evidence, &pods[i], redactor))
	}
	if len(pods) > mostPods {
		evidence.miss("pods", fmt.Errorf("%d more than the %d that are collected", len(pods)-mostPods, mostPods))
	}
	evidence.Events, err = r.cluster.EventTexts(ctx, r.options.Namespace, r.options.Deployment)
	evidence.miss("events", err)
	archive, err := evidence.pack(redactor)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s-evidence-%s", r.options.App, evidence.Time.Format("20060102-150405"))
	if err := r.cluster.SaveEvidence(ctx, r.options.Namespace, name, r.options.App, archive, keepEvidence); err != nil {
		return "", err
	}
	r.outcome.Evidence = name
	done := fmt.Sprintf("%s, %d pods, %d events", name, len(evidence.Pods), len(evidence.Events))
	if len(evidence.Missing) > 0 {
		return done, errors.New("incomplete: " + strings.Join(evidence.Missing, "; "))
	}
	return done, nil
}

func (e *Evidence) miss(what string, err error) {
	if err != nil {
		e.Missing = append(e.Missing, what+": "+err.Error())
	}
}

// pod collects the state and the logs of a pod. A log is redacted before it is cut: half a credential would not be
// recognized.
func (r *run) pod(ctx context.Context, evidence *Evidence, pod *corev1.Pod, redactor redact.Redactor) PodEvidence {
	state := PodEvidence{Name: pod.Name, Status: pod.Status, Labels: pod.Labels, Logs: map[string]string{}}
	for _, container := range pod.Spec.Containers {
		state.Images = append(state.Images, container.Image)
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting == nil || status.RestartCount > 0 {
			text, err := r.cluster.Logs(ctx, r.options.Namespace, pod.Name, status.Name, false, logLines)
			evidence.miss("log of "+pod.Name, err)
			state.Logs[status.Name] = end(redactor.Text(text), logBytes)
		}
		if status.RestartCount > 0 {
			text, err := r.cluster.Logs(ctx, r.options.Namespace, pod.Name, status.Name, true, logLines)
			evidence.miss("previous log of "+pod.Name, err)
			state.Logs[status.Name+" (previous)"] = end(redactor.Text(text), logBytes)
		}
	}
	return state
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

// pack redacts and compresses the evidence. It shortens the logs until the archive fits. The evidence is redacted once
// and before it is shortened: redacting is far slower than compressing.
func (e Evidence) pack(redactor redact.Redactor) ([]byte, error) {
	e, err := e.redacted(redactor)
	if err != nil {
		return nil, err
	}
	for most := logBytes; ; most /= 2 {
		for _, pod := range e.Pods {
			for _, name := range slices.Sorted(maps.Keys(pod.Logs)) {
				pod.Logs[name] = end(pod.Logs[name], most)
			}
		}
		document, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encode the evidence: %w", err)
		}
		archive, err := compress(document)
		if err != nil || len(archive) <= archiveBytes {
			return archive, err
		}
		if most == 0 {
			return nil, fmt.Errorf("the evidence has %d bytes without any log, more than the %d that can be stored",
				len(archive), archiveBytes)
		}
	}
}

// redacted redacts the whole marshalled document, so that a termination message or a label hides no credential either.
func (e Evidence) redacted(redactor redact.Redactor) (Evidence, error) {
	document, err := json.Marshal(e)
	if err != nil {
		return Evidence{}, fmt.Errorf("encode the evidence: %w", err)
	}
	var clean Evidence
	if err = json.Unmarshal(redactor.Document(document), &clean); err == nil {
		return clean, nil
	}
	// A secret that reads like a time or a number can be a part of one. The evidence is worth more than the state of
	// its pods.
	e.Pods = slices.Clone(e.Pods)
	for i := range e.Pods {
		e.Pods[i].Status = corev1.PodStatus{}
	}
	e.miss("state of the pods", err)
	if document, err = json.Marshal(e); err != nil {
		return Evidence{}, fmt.Errorf("encode the evidence: %w", err)
	}
	if err := json.Unmarshal(redactor.Document(document), &clean); err != nil {
		return Evidence{}, fmt.Errorf("redact the evidence: %w", err)
	}
	return clean, nil
}

func compress(document []byte) ([]byte, error) {
	var archive bytes.Buffer
	writer := gzip.NewWriter(&archive)
	if _, err := writer.Write(document); err != nil {
		return nil, fmt.Errorf("compress the evidence: %w", err)
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("compress the evidence: %w", err)
	}
	return archive.Bytes(), nil
}

// Unpack reads an archive of evidence. It returns an error when the archive is damaged.
func Unpack(archive []byte) (Evidence, error) {
	reader, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return Evidence{}, fmt.Errorf("read the evidence: %w", err)
	}
	var evidence Evidence
	if err := json.NewDecoder(reader).Decode(&evidence); err != nil {
		return Evidence{}, fmt.Errorf("read the evidence: %w", err)
	}
	return evidence, nil
}
