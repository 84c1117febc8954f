package rollback

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/redact"
)

// The archive is one JSON document in several gzip members, which a reader takes for one stream: the beginning of the
// document, a member for each pod, and its end. No more than some pods are in memory at a time.

// pack redacts and compresses all but the pods, and joins it with their members.
func (e Evidence) pack(pods [][]byte, redactor redact.Redactor) ([]byte, error) {
	// The time stands beside what is redacted: a secret that reads like a year would make the document unreadable.
	at, err := json.Marshal(e.Time)
	if err != nil {
		return nil, fmt.Errorf("encode the evidence: %w", err)
	}
	fields, err := redacted(struct {
		Reason  string            `json:"reason"`
		Numbers map[string]string `json:"numbers,omitempty"`
	}{e.Reason, e.Numbers}, redactor)
	if err != nil {
		return nil, err
	}
	head := slices.Concat([]byte(`{"time":`), at, []byte(","), bytes.TrimPrefix(fields, []byte("{")))
	for events := e.Events; ; events = events[(len(events)+1)/2:] {
		tail, err := redacted(struct {
			Events  []string `json:"events,omitempty"`
			Missing []string `json:"missing,omitempty"`
		}{events, e.Missing}, redactor)
		if err != nil {
			return nil, err
		}
		archive, err := joined(head, pods, tail)
		if err != nil || len(archive) <= archiveBytes {
			return archive, err
		}
		if len(events) == 0 {
			return nil, fmt.Errorf("the evidence has %d bytes without its events, more than the %d that can be stored",
				len(archive), archiveBytes)
		}
	}
}

// joined joins the document: the fields of head and tail, which are objects, around the pods.
func joined(head []byte, pods [][]byte, tail []byte) ([]byte, error) {
	var archive []byte
	add := func(text []byte) error {
		member, err := compress(text)
		archive = append(archive, member...)
		return err
	}
	// The head is joined anew at every try: nothing may be appended to it in place.
	if err := add(slices.Concat(bytes.TrimSuffix(head, []byte("}")), []byte(`,"pods":[`))); err != nil {
		return nil, err
	}
	for i, pod := range pods {
		if i > 0 {
			if err := add([]byte(",")); err != nil {
				return nil, err
			}
		}
		archive = append(archive, pod...)
	}
	end := []byte("]")
	if fields := bytes.TrimPrefix(tail, []byte("{")); len(fields) > 1 {
		end = append(end, ',')
	}
	return archive, add(append(end, bytes.TrimPrefix(tail, []byte("{"))...))
}

// packPod redacts a pod and compresses it into that many bytes. It shortens the logs until they fit. The pod is
// redacted before that, and once: redacting is far slower than compressing. The text names what had to be left out.
func packPod(pod PodEvidence, room int, redactor redact.Redactor) (member []byte, lack string, err error) {
	pod, lack, err = pod.redacted(redactor)
	if err != nil {
		return nil, "", err
	}
	for most := logBytes; ; most /= 2 {
		for _, name := range slices.Sorted(maps.Keys(pod.Logs)) {
			pod.Logs[name] = end(pod.Logs[name], most)
		}
		document, err := json.Marshal(pod)
		if err != nil {
			return nil, "", fmt.Errorf("encode the evidence: %w", err)
		}
		member, err = compress(document)
		if err != nil || len(member) <= room {
			return member, lack, err
		}
		if most == 0 {
			return nil, "", fmt.Errorf("its state has %d bytes without any log, more than the %d that can be stored",
				len(member), room)
		}
	}
}

// redacted redacts the whole marshalled pod, so that a termination message or a label hides no credential either.
func (p PodEvidence) redacted(redactor redact.Redactor) (clean PodEvidence, lack string, err error) {
	document, err := redacted(p, redactor)
	if err != nil {
		return PodEvidence{}, "", err
	}
	unreadable := json.Unmarshal(document, &clean)
	if unreadable == nil {
		return clean, "", nil
	}
	// A secret that reads like a time or a number can be a part of one. The logs are worth more than the state.
	p.Status, clean = corev1.PodStatus{}, PodEvidence{}
	if document, err = redacted(p, redactor); err != nil {
		return PodEvidence{}, "", err
	}
	if err := json.Unmarshal(document, &clean); err != nil {
		return PodEvidence{}, "", fmt.Errorf("redact the evidence: %w", err)
	}
	return clean, fmt.Sprintf("state of pod %s: %v", p.Name, unreadable), nil
}

func redacted(value any, redactor redact.Redactor) ([]byte, error) {
	document, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the evidence: %w", err)
	}
	return redactor.Document(document), nil
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
