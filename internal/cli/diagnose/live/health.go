package live

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// report is a health report in the format of NestJS Terminus and of older Spring Boot: dependencies with their status.
type report struct {
	Details    map[string]dependency `json:"details"`
	Components map[string]dependency `json:"components"`
}

type dependency struct {
	Status string `json:"status"`
}

// health reads the report of a running pod. A pod that does not answer has none; its probes show that.
func (r *reader) health(ctx context.Context, pod *diagnose.Pod) {
	if pod.Status.Phase != corev1.PodRunning || r.options.HealthPath == "" || !serves(pod) {
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, healthLimit, fmt.Errorf("no answer within %v", healthLimit))
	defer cancel()
	client, base, end, err := r.cluster.PodClient(ctx, r.options.Namespace, pod.Name, r.options.Port)
	if err != nil {
		r.unseen("health of "+pod.Name, err)
		return
	}
	defer end()
	// The first request may open connections. The second one measures the dependencies.
	for range 2 {
		health, err := ask(ctx, client, base+r.options.HealthPath, r.options.Now)
		if err != nil {
			r.unseen("health of "+pod.Name, err)
			return
		}
		pod.Health = health
	}
}

// serves reports whether the service's own container runs.
func serves(pod *diagnose.Pod) bool {
	service := pod.Labels[names.App]
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(status corev1.ContainerStatus) bool {
		return status.State.Running != nil && !podstate.IsSidecar(&pod.Spec, service, status.Name)
	})
}

func ask(ctx context.Context, client *http.Client, address string, now func() time.Time) (*diagnose.Health, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	began := now()
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	health := &diagnose.Health{Status: answer.StatusCode, Dependencies: map[string]string{}}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	health.Took = now().Sub(began)
	var parsed report
	if json.Unmarshal(body, &parsed) != nil {
		return health, nil
	}
	for _, group := range []map[string]dependency{parsed.Details, parsed.Components} {
		for name, state := range group {
			health.Dependencies[name] = state.Status
		}
	}
	return health, nil
}
