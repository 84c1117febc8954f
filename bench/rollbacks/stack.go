package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
	"github.com/vextrus/finance-rollout/e2e/fixture"
	"github.com/vextrus/finance-rollout/internal/names"
)

const suffix = "-rollbacks"

// outLimit is the longest wait until the canary has no endpoints.
const outLimit = time.Minute

// stack is the stack to roll back, with its two images.
type stack struct {
	measure.Shell
	*fixture.Stack
	image, other string
}

// deploy derives the stacks and takes the release to 10 %.
func deploy(ctx context.Context, root string, nodePort int) (*stack, error) {
	shell, err := measure.Derive(ctx, root, suffix, nodePort)
	s := &stack{Shell: shell}
	if err != nil {
		return s, err
	}
	if s.Stack, err = fixture.Open(filepath.Join(root, ".local", "kubeconfig"), "vextrus-production"+suffix); err != nil {
		return s, err
	}
	// Evidence and staging are not part of the measurement.
	for _, setting := range [][2]string{{"bake.duration", "0s"}, {"soak.duration", "48h"}, {"staging.required", "false"}} {
		if err := s.Set(ctx, setting[0], setting[1]); err != nil {
			return s, err
		}
	}
	for key, into := range map[string]*string{"image": &s.image, "stableImage": &s.other} {
		value, err := s.Pulumi(ctx, "config", "get", key, "--stack", "production")
		if err != nil {
			return s, err
		}
		*into = strings.TrimSpace(value)
	}
	_, err = s.Up(ctx, "production")
	return s, err
}

func (s *stack) rollout(ctx context.Context, args ...string) error {
	_, err := s.Run(ctx, filepath.Join(s.Root, ".local", "bin", "rollout"), args...)
	return err
}

// option is a way to roll back: its name, the guide's command, and a measurement of both.
type option struct {
	name, by string
	once     func(context.Context) (ours, theirs time.Duration, err error)
}

func (s *stack) options() []option {
	deployment := "deployment/" + s.CanaryDeployment()
	return []option{
		{"scale", "kubectl scale --replicas=0", func(ctx context.Context) (ours, theirs time.Duration, err error) {
			return s.both(ctx, "scale", s.enter, "scale", deployment, "--replicas=0")
		}},
		{"delete", "kubectl delete deployment", func(ctx context.Context) (ours, theirs time.Duration, err error) {
			return s.both(ctx, "delete", s.enter, "delete", deployment, "--wait=false")
		}},
		{"undo", "kubectl rollout undo", func(ctx context.Context) (ours, theirs time.Duration, err error) {
			return s.both(ctx, "undo", s.enterTwice, "rollout", "undo", deployment)
		}},
	}
}

// both brings the canary in and rolls it back, once with rollout and once with kubectl.
func (s *stack) both(ctx context.Context, name string, enter func(context.Context) error, kubectl ...string) (ours,
	theirs time.Duration, err error) {
	if err := enter(ctx); err != nil {
		return 0, 0, err
	}
	ours, err = s.untilOut(ctx, func() error {
		return s.rollout(ctx, "rollback", "-s", "production", "--yes", "--option", name, "--watch", "0s", "--report", "-",
			"--reason", "the benchmark")
	})
	if err != nil {
		return 0, 0, err
	}
	if err := enter(ctx); err != nil {
		return 0, 0, err
	}
	theirs, err = s.untilOut(ctx, func() error {
		_, err := s.Run(ctx, "kubectl", append([]string{"--namespace", s.Namespace}, kubectl...)...)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	// Deleting the Deployment also removes kubectl's field ownership.
	_, err = s.Run(ctx, "kubectl", "--namespace", s.Namespace, "delete", "deployment", s.CanaryDeployment(),
		"--ignore-not-found")
	return ours, theirs, err
}

// enter brings the canary in with its image.
func (s *stack) enter(ctx context.Context) error { return s.enterWith(ctx, s.image) }

// enterTwice brings the canary in with an earlier revision of another image.
func (s *stack) enterTwice(ctx context.Context) error {
	if err := s.enterWith(ctx, s.other); err != nil {
		return err
	}
	return s.enterWith(ctx, s.image)
}

func (s *stack) enterWith(ctx context.Context, image string) error {
	for _, setting := range [][2]string{{"image", image}, {"canaryWeight", "10"}} {
		if err := s.Set(ctx, setting[0], setting[1]); err != nil {
			return err
		}
	}
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	_, digest, _ := strings.Cut(image, "@")
	if _, latched := state.Latch(digest); latched {
		if err := s.rollout(ctx, "unlatch", "-s", "production", "--yes", "--reason", "the next run"); err != nil {
			return err
		}
	}
	if _, err := s.Up(ctx, "production", "--refresh"); err != nil {
		return err
	}
	return s.Cluster.WaitDeploymentReady(ctx, s.Namespace, s.CanaryDeployment(), s.Canary)
}

// untilOut starts a rollback and returns the time until none of the canary's present pods is an endpoint. It returns
// after the command has ended.
func (s *stack) untilOut(ctx context.Context, begin func() error) (time.Duration, error) {
	prefix, err := s.revision(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, outLimit)
	defer cancel()
	type ended struct {
		at  time.Time
		err error
	}
	out := make(chan ended, 1)
	go func() {
		at, err := s.OutOf(ctx, prefix)
		out <- ended{at, err}
	}()
	// The watch of the endpoints has started by then.
	time.Sleep(time.Second)
	start := time.Now()
	if err := begin(); err != nil {
		return 0, err
	}
	end := <-out
	return end.at.Sub(start), end.err
}

// revision returns the common prefix of the names of the canary's present pods.
func (s *stack) revision(ctx context.Context) (string, error) {
	pods, err := s.Pods(ctx, names.Canary)
	if err != nil {
		return "", err
	}
	for i := range pods {
		if pods[i].DeletionTimestamp == nil {
			at := strings.LastIndex(pods[i].Name, "-")
			return pods[i].Name[:at+1], nil
		}
	}
	return "", fmt.Errorf("%s has no pods", s.CanaryDeployment())
}
