package main

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
	"github.com/vextrus/finance-rollout/e2e/fixture"
	"github.com/vextrus/finance-rollout/internal/names"
)

// guarded is a stack of ours with its guard.
type guarded struct {
	measure.Shell
	fixture  *fixture.Stack
	nodePort int
	// digest is that of the image that the canary runs.
	digest string
}

// deployGuarded derives the stacks and deploys stable. Evidence and staging are no part of the measurement: an override
// lets the canary go up.
func deployGuarded(ctx context.Context, root string, nodePort int) (*guarded, error) {
	const suffix = "-peers"
	shell, err := measure.Derive(ctx, root, suffix, nodePort)
	g := &guarded{Shell: shell, nodePort: nodePort}
	if err != nil {
		return g, err
	}
	if g.fixture, err = fixture.Open(filepath.Join(root, ".local", "kubeconfig"),
		"vextrus-production"+suffix); err != nil {
		return g, err
	}
	for _, setting := range [][2]string{{"bake.duration", "0s"}, {"soak.duration", "48h"}, {"staging.required", "false"},
		// The committed criteria: those of the demo are laxer.
		{"criteria.errorRate", "0.005"}, {"criteria.rollbackErrorRate", "0.01"},
		{"override.reason", "the benchmark does not wait for evidence"}, {"canary.env.FAULTS_ENABLED", "true"},
		{"canaryWeight", "0"}} {
		if err := g.Set(ctx, setting[0], setting[1]); err != nil {
			return g, err
		}
	}
	image, err := g.Pulumi(ctx, "config", "get", "image", "--stack", "production")
	if err != nil {
		return g, err
	}
	_, g.digest, _ = strings.Cut(strings.TrimSpace(image), "@")
	_, err = g.Up(ctx, "production")
	return g, err
}

func (g *guarded) name() string { return "the guard" }

func (g *guarded) stack() (stack *fixture.Stack, nodePort int) { return g.fixture, g.nodePort }

// enter takes the canary up stage by stage, as updates do.
func (g *guarded) enter(ctx context.Context, weight int) error {
	state, err := g.fixture.State(ctx)
	if err != nil {
		return err
	}
	if _, latched := state.Latch(g.digest); latched {
		if _, err := g.Run(ctx, filepath.Join(g.Root, ".local", "bin", "rollout"), "unlatch", "-s", "production", "--yes",
			"--reason", "the next run"); err != nil {
			return err
		}
	}
	for _, stage := range stages {
		if stage > weight {
			break
		}
		for _, path := range []string{"override.weight", "canaryWeight"} {
			if err := g.Set(ctx, path, strconv.Itoa(stage)); err != nil {
				return err
			}
		}
		if _, err := g.Up(ctx, "production", "--refresh"); err != nil {
			return err
		}
	}
	return g.fixture.Cluster.WaitDeploymentReady(ctx, g.fixture.Namespace, g.fixture.CanaryDeployment(),
		canaryPods(weight))
}

func (g *guarded) pods(ctx context.Context) (pods []corev1.Pod, prefix string, err error) {
	pods, err = g.fixture.Pods(ctx, names.Canary)
	return pods, g.fixture.CanaryDeployment() + "-", err
}

// over waits for the rollback's last step, and not for the quarantine alone.
func (g *guarded) over(ctx context.Context) (bool, error) {
	state, err := g.fixture.State(ctx)
	if err != nil {
		return false, err
	}
	_, latched := state.Latch(g.digest)
	return latched && state.Unfinished == nil, nil
}
