package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/build/progress"
)

// Run rolls out: staging, then production at week 1, each by `pulumi up`, and prints a summary.
func (d *Demo) Run(ctx context.Context) error {
	if err := d.week1(ctx); err != nil {
		return err
	}
	if err := d.up(ctx, "staging"); err != nil {
		return err
	}
	secret, err := d.Cluster.Secret("jwt-secret")
	if err != nil {
		return err
	}
	if err := d.Cluster.StartTraffic(ctx); err != nil {
		return err
	}
	if err := d.up(ctx, "production"); err != nil {
		return err
	}
	return d.summarize(ctx, secret)
}

// week1 takes the production stack back to the beginning of the rollout.
func (d *Demo) week1(ctx context.Context) error {
	_, err := d.pulumi(ctx, "config", "set", "--stack", "production", "week", "1")
	if err != nil {
		return err
	}
	_, err = d.pulumi(ctx, "config", "rm", "--stack", "production", "canaryWeight")
	return err
}

func (d *Demo) up(ctx context.Context, stack string) error {
	if err := d.unlock(ctx, stack); err != nil {
		return err
	}
	fmt.Fprintf(d.Out, "\n$ pulumi up --yes --skip-preview --stack %s\n", stack)
	if err := d.run(ctx, d.Out, os.Stderr, "pulumi", "up", "--yes", "--skip-preview", "--color", "never", "--stack",
		stack); err != nil {
		return fmt.Errorf("pulumi up of %s: %w", stack, err)
	}
	return nil
}

// verification is the verify gate's record in the cluster.
type verification struct {
	Data map[string]string `json:"data"`
}

func (d *Demo) verification(ctx context.Context, namespace string) (verification, error) {
	var record verification
	var output strings.Builder
	err := d.run(ctx, &output, os.Stderr, "kubectl", "get", "configmap", "finance-service-verification", "-n", namespace,
		"-o", "json")
	if err != nil {
		return record, fmt.Errorf("read the verification of %s: %w", namespace, err)
	}
	if err := json.Unmarshal([]byte(output.String()), &record); err != nil {
		return record, fmt.Errorf("read the verification of %s: %w", namespace, err)
	}
	return record, nil
}

func (d *Demo) summarize(ctx context.Context, secret string) error {
	var load Load
	err := d.Progress.Run(fmt.Sprintf("measure the canary's share over %d requests", shareRequests),
		func(*progress.Task) error {
			var err error
			load, err = send(ctx, NodePorts["production"], secret, sharePerSecond, shareRequests/sharePerSecond*time.Second)
			return err
		})
	if err != nil {
		return err
	}
	var pods strings.Builder
	err = d.run(ctx, &pods, os.Stderr, "kubectl", "get", "pods", "-n", "vextrus-production", "-l", "app=finance-service",
		"--sort-by", "metadata.name", "-L", "track,version")
	if err != nil {
		return fmt.Errorf("list the pods: %w", err)
	}
	staging, err := d.verification(ctx, "vextrus-staging")
	if err != nil {
		return err
	}
	production, err := d.verification(ctx, "vextrus-production")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.Out, summary,
		pods.String(), load.Share("finance-service-week1-")*100, load.Requests, load.Failed, load.explain(),
		indent(staging.Data["smoke"]), indent(production.Data["smoke"]), indent(production.Data["bake"]), d.Cluster.EnvFile(),
		CustomersStay)
	return err
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}

const summary = `
================================ week 1 runs ================================

Pods in production
%s
Requests at the canary: %.1f %% measured, 10 %% planned (%d requests, %d failed%s)

Smoke suite against staging
%s

Smoke suite against the canary in production
%s

Metric gate of the canary in production
%s

Where to look next
  . %s
  kubectl get deploy -n vextrus-production
  pulumi preview -s production                      nothing to do
  pulumi config set canaryWeight 30 -s production   to advance, then:
  pulumi up -s production
  pulumi config set canaryWeight 0 -s production    to roll back, then the same
  http://127.0.0.1:30090                            Prometheus
  make traffic                                      more customers, when those of the demo have left after %s
  make down                                         to end the cluster
`
