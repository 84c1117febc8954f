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
	pods, err := r.cluster.AllPods(ctx, r.options.Namespace, r.options.Canary)
	evidence.miss("pods", err)
	for i := range pods[:min(len(pods), mostPods)] {
		evidence.Pods = append(evidence.Pods, r.pod(ctx, &evidence, &pods[i]))
	}
	if len(pods) > mostPods {
		evidence.miss("pods", fmt.Errorf("%d more than the %d that are collected", len(pods)-mostPods, mostPods))
	}
	evidence.Events, err = r.cluster.EventTexts(ctx, r.options.Namespace, r.options.Deployment)
	evidence.miss("events", err)
	archive, err := evidence.pack(r.options.Secrets)
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

func (r *run) pod(ctx context.Context, evidence *Evidence, pod *corev1.Pod) PodEvidence {
	state := PodEvidence{Name: pod.Name, Status: pod.Status, Labels: pod.Labels, Logs: map[string]string{}}
	for _, container := range pod.Spec.Containers {
		state.Images = append(state.Images, container.Image)
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting == nil || status.RestartCount > 0 {
			text, err := r.cluster.Logs(ctx, r.options.Namespace, pod.Name, status.Name, false, logLines)
			evidence.miss("log of "+pod.Name, err)
			state.Logs[status.Name] = end(text, logBytes)
		}
		if status.RestartCount > 0 {
			text, err := r.cluster.Logs(ctx, r.options.Namespace, pod.Name, status.Name, true, logLines)
			evidence.miss("previous log of "+pod.Name, err)
			state.Logs[status.Name+" (previous)"] = end(text, logBytes)
		}
	}
	return state
}

// end cuts a text to its end, where the failure is. It cuts between lines: redaction may not recognize half of a
// credential.
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

// pack redacts and compresses the evidence. It shortens the logs until the archive fits. The texts are redacted once
// and before they are shortened: to redact is far slower than to compress.
func (e Evidence) pack(secrets []string) ([]byte, error) {
	e = e.redacted(secrets)
	for most := logBytes; ; most /= 2 {
		for _, pod := range e.Pods {
			for _, name := range slices.Sorted(maps.Keys(pod.Logs)) {
				pod.Logs[name] = end(pod.Logs[name], most)
			}
		}
		document, err := e.encode()
		if err != nil {
			return nil, err
		}
		archive, err := compress(redact.Document(document, secrets))
		if err != nil || len(archive) <= archiveBytes {
			return archive, err
		}
		if most == 0 {
			return nil, fmt.Errorf("the evidence has %d bytes without any log, more than the %d that can be stored",
				len(archive), archiveBytes)
		}
	}
}

func (e Evidence) encode() ([]byte, error) {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("encode the evidence: %w", err)
	}
	return document.Bytes(), nil
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

func (e Evidence) redacted(secrets []string) Evidence {
	clean := func(lines []string) []string {
		out := slices.Clone(lines)
		for i := range out {
			out[i] = redact.Text(out[i], secrets)
		}
		return out
	}
	e.Reason, e.Events, e.Missing = redact.Text(e.Reason, secrets), clean(e.Events), clean(e.Missing)
	numbers := map[string]string{}
	for name, text := range e.Numbers {
		numbers[name] = redact.Text(text, secrets)
	}
	e.Numbers = numbers
	e.Pods = slices.Clone(e.Pods)
	for i := range e.Pods {
		logs := map[string]string{}
		for name, text := range e.Pods[i].Logs {
			logs[name] = redact.Text(text, secrets)
		}
		e.Pods[i].Logs = logs
	}
	return e
}
