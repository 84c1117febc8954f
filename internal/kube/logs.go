package kube

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// LogQuery says which lines of a container's log are wanted.
type LogQuery struct {
	Container string
	// Previous asks for the container before its last restart.
	Previous bool
	// Tail is how many of the last lines are wanted, 0 for all; Since how old they may be, 0 for any age.
	Tail  int64
	Since time.Duration
	// Follow goes on with what is written later, until the context ends or the container does.
	Follow bool
}

// longestLine is where a line of a log is broken.
const longestLine = 64 << 10

// EachLogLine gives the lines of a container's log one by one, without their ends.
func (c *Client) EachLogLine(ctx context.Context, namespace, pod string, query LogQuery,
	line func(string) error) error {
	options := &corev1.PodLogOptions{Container: query.Container, Previous: query.Previous, Follow: query.Follow}
	if query.Tail > 0 {
		options.TailLines = &query.Tail
	}
	if query.Since > 0 {
		seconds := max(int64(query.Since/time.Second), 1)
		options.SinceSeconds = &seconds
	}
	stream, err := c.clientset.CoreV1().Pods(namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return fmt.Errorf("logs of pod %s/%s: %w", namespace, pod, err)
	}
	defer stream.Close()
	reader := bufio.NewReaderSize(stream, longestLine)
	for {
		text, _, err := reader.ReadLine()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("logs of pod %s/%s: %w", namespace, pod, err)
		}
		if err := line(string(text)); err != nil {
			return err
		}
	}
}

// maxLogBytes bounds what is read of a log.
const maxLogBytes = 1 << 20

// Logs gives the last lines of a container's log, those of the container before its last restart with previous. An
// empty container name means the pod's only one. A tail of 0 or less gives the whole log; at most the first MiB is
// read.
func (c *Client) Logs(ctx context.Context, namespace, pod, container string, previous bool, tail int64) (string,
	error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	limit := int64(maxLogBytes)
	options := &corev1.PodLogOptions{Container: container, Previous: previous, LimitBytes: &limit}
	if tail > 0 {
		options.TailLines = &tail
	}
	stream, err := c.clientset.CoreV1().Pods(namespace).GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return "", fmt.Errorf("logs of pod %s/%s: %w", namespace, pod, err)
	}
	defer stream.Close()
	text, err := io.ReadAll(io.LimitReader(stream, maxLogBytes))
	if err != nil {
		return "", fmt.Errorf("logs of pod %s/%s: %w", namespace, pod, err)
	}
	return string(text), nil
}
