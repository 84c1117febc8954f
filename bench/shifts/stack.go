package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

const (
	suffix     = "-bench"
	production = "vextrus-production" + suffix
	stable     = "finance-service-stable"
	canary     = "finance-service-week1"
	// total is the number of pods of both tracks.
	total = 10
)

// stack is the measured stack, with its own namespaces and state.
type stack struct {
	measure.Shell
	secret []byte
}

// deploy derives the stacks and takes the release to 10 %.
func deploy(ctx context.Context, root string, o options) (*stack, error) {
	shell, err := measure.Derive(ctx, root, suffix, o.nodePort)
	s := &stack{Shell: shell}
	if err != nil {
		return s, err
	}
	if s.secret, err = os.ReadFile(filepath.Join(root, ".local", "secrets", "jwt-secret")); err != nil {
		return s, fmt.Errorf("there is no local cluster: run `make cluster`: %w", err)
	}
	// Waiting for evidence is not part of the measurement, so an override allows every shift. In a soak as long as a real
	// one, an unchanged update has no checkpoint to take.
	settings := []string{
		"bake.duration=0s", "soak.duration=48h", "override.reason=the benchmark does not wait for evidence",
		"traffic=" + o.mode,
	}
	for _, setting := range append(settings, o.config...) {
		if err := s.set(ctx, setting); err != nil {
			return s, err
		}
	}
	if _, err := s.Up(ctx, "staging"); err != nil {
		return s, err
	}
	if _, err := s.shift(ctx, 10); err != nil {
		return s, err
	}
	err = s.scraped(ctx)
	return s, err
}

// set changes a setting of the production stack, as path=value.
func (s *stack) set(ctx context.Context, setting string) error {
	path, value, _ := strings.Cut(setting, "=")
	return s.Set(ctx, path, value)
}

// shift takes the canary to a weight and returns how long the update took.
func (s *stack) shift(ctx context.Context, weight int) (time.Duration, error) {
	for _, path := range []string{"override.weight", "canaryWeight"} {
		if err := s.set(ctx, fmt.Sprintf("%s=%d", path, weight)); err != nil {
			return 0, err
		}
	}
	return s.Up(ctx, "production")
}

func (s *stack) kubectl(ctx context.Context, args ...string) (string, error) {
	return s.Run(ctx, "kubectl", args...)
}

// scale scales both tracks with kubectl and waits until the pods are ready.
func (s *stack) scale(ctx context.Context, stablePods, canaryPods int) (time.Duration, error) {
	return measure.Time(func() error {
		tracks := []struct {
			deployment string
			pods       int
		}{{canary, canaryPods}, {stable, stablePods}}
		for _, track := range tracks {
			if _, err := s.kubectl(ctx, "scale", "deployment", track.deployment, "--namespace", production, "--replicas",
				strconv.Itoa(track.pods)); err != nil {
				return err
			}
		}
		for _, track := range tracks {
			if _, err := s.kubectl(ctx, "rollout", "status", "deployment", track.deployment, "--namespace", production,
				"--timeout=2m"); err != nil {
				return err
			}
		}
		return nil
	})
}
