// Package live reads a diagnose.Snapshot from a cluster: Deployments with their pods, the tails of their logs, events,
// the key names of the Secrets they need, the pods' health reports through a port-forward, and request counts from
// Prometheus.
//
// A part that cannot be read, for example for lack of a permission, is listed in the Snapshot and stops nothing. The
// package decides nothing and imports no Pulumi; it reaches the cluster and Prometheus through interfaces.
package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Cluster is the part of internal/kube's Client that a diagnosis reads.
type Cluster interface {
	Deployment(ctx context.Context, namespace, name string) (deployment *appsv1.Deployment, exists bool, err error)
	ReplicaSets(ctx context.Context, owner *appsv1.Deployment) ([]appsv1.ReplicaSet, error)
	PodsOf(ctx context.Context, owner *appsv1.Deployment) ([]corev1.Pod, error)
	Events(ctx context.Context, namespace string) ([]corev1.Event, error)
	SecretKeys(ctx context.Context, namespace, name string) (keys []string, exists bool, err error)
	ConfigMapKeys(ctx context.Context, namespace, name string) (keys []string, exists bool, err error)
	Logs(ctx context.Context, namespace, pod, container string, previous bool, tail int64) (string, error)
	PodClient(ctx context.Context, namespace, pod string, port int) (client *http.Client, baseURL string, end func(),
		err error)
}

// Server queries Prometheus.
type Server interface {
	gate.Querier
	gate.Asker
}

// Target is a Deployment to diagnose.
type Target struct {
	Name string
	// Planned is its number of pods at the position; 0 when that is not known.
	Planned int
	// Metrics select its series; nil skips Prometheus.
	Metrics *gate.Metrics
}

// Options choose the scope of a diagnosis.
type Options struct {
	Stack, Environment, Namespace string
	Targets                       []Target
	// Weight and Replicas are the planned share of the canary and the pods of both tracks; see [diagnose.Snapshot].
	Weight, Replicas int
	// Port and HealthPath locate a pod's health report.
	Port       int
	HealthPath string
	// Criteria are the stack's criteria, at most one of each kind.
	Criteria []gate.Criterion
	// Window is the period of the Prometheus queries, up to now.
	Window time.Duration
	// Redact removes secrets from a text of the cluster.
	Redact func(string) string
	Now    func() time.Time
}

const (
	// atOnce limits the concurrent reads, mostPods the pods of a Deployment whose logs and health are read.
	atOnce   = 8
	mostPods = 10
	// logLines is the length of a log's tail.
	logLines = 200
	// longest limits the reason why a part could not be read, in bytes.
	longest = 300
	// healthLimit limits the time for a health report.
	healthLimit = 10 * time.Second
)

// reader reads a snapshot.
type reader struct {
	cluster  Cluster
	server   Server
	options  Options
	snapshot *diagnose.Snapshot
	mu       sync.Mutex
}

// Gather reads a snapshot. A nil server skips Prometheus.
func Gather(ctx context.Context, cluster Cluster, server Server, options Options) diagnose.Snapshot {
	r := &reader{cluster: cluster, server: server, options: options, snapshot: &diagnose.Snapshot{
		Now: options.Now(), Stack: options.Stack, Environment: options.Environment, Namespace: options.Namespace,
		Secrets: map[string][]string{}, ConfigMaps: map[string][]string{}, Limits: limitsOf(options.Criteria),
		Weight: options.Weight, Replicas: options.Replicas,
	}}
	var err error
	r.snapshot.Events, err = cluster.Events(ctx, options.Namespace)
	r.unseen("events", err)
	for i := range r.snapshot.Events {
		r.snapshot.Events[i].Message = options.Redact(r.snapshot.Events[i].Message)
	}
	r.snapshot.Workloads = make([]diagnose.Workload, len(options.Targets))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, target := range options.Targets {
		r.snapshot.Workloads[i].Name, r.snapshot.Workloads[i].Planned = target.Name, target.Planned
		r.workload(ctx, &group, &r.snapshot.Workloads[i], target)
	}
	_ = group.Wait() // The snapshot lists what failed.
	r.references(ctx)
	return *r.snapshot
}

func limitsOf(criteria []gate.Criterion) diagnose.Limits {
	var limits diagnose.Limits
	for _, criterion := range criteria {
		switch criterion.Kind {
		case gate.KindErrorRate:
			limits.ErrorRate = criterion.Target
		case gate.KindLatency:
			limits.SlowShare, limits.Latency = criterion.Target, criterion.Limit
		}
	}
	return limits
}

// unseen records a part that could not be read, on one line, if err is not nil.
func (r *reader) unseen(part string, err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf("%s: %s", part, strings.Join(strings.Fields(err.Error()), " "))
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	r.snapshot.Unseen = append(r.snapshot.Unseen, r.options.Redact(text))
}

// workload reads a Deployment and starts to read its pods.
func (r *reader) workload(ctx context.Context, group *errgroup.Group, into *diagnose.Workload, target Target) {
	deployment, exists, err := r.cluster.Deployment(ctx, r.options.Namespace, target.Name)
	switch {
	case err != nil:
		r.unseen("deployment "+target.Name, err)
		// Unreadable does not mean missing.
		into.Deployment = &appsv1.Deployment{}
		return
	case !exists:
		return
	}
	into.Deployment = deployment
	into.ReplicaSets, err = r.cluster.ReplicaSets(ctx, into.Deployment)
	r.unseen("replicasets of "+target.Name, err)
	pods, err := r.cluster.PodsOf(ctx, into.Deployment)
	r.unseen("pods of "+target.Name, err)
	into.Pods = make([]diagnose.Pod, len(pods))
	for i := range pods {
		into.Pods[i].Pod = pods[i]
		if i < mostPods {
			pod := &into.Pods[i]
			group.Go(func() error {
				// Ask for the health report first: it makes the pod log the dependencies that it cannot reach.
				r.health(ctx, pod)
				r.logs(ctx, pod)
				return nil
			})
		}
	}
	if r.server != nil && target.Metrics != nil {
		group.Go(func() error {
			r.traffic(ctx, into, *target.Metrics)
			r.usage(ctx, into)
			return nil
		})
	}
}

func (r *reader) logs(ctx context.Context, pod *diagnose.Pod) {
	for _, status := range podstate.Containers(&pod.Pod) {
		started := status.State.Running != nil || status.State.Terminated != nil
		for _, previous := range []bool{false, true} {
			if previous && status.RestartCount == 0 || !previous && !started {
				continue
			}
			text, err := r.cluster.Logs(ctx, r.options.Namespace, pod.Name, status.Name, previous, logLines)
			// A log that is already gone is not worth a remark.
			if err != nil && !apierrors.IsBadRequest(err) && !apierrors.IsNotFound(err) {
				r.unseen("log of "+pod.Name, err)
			}
			if lines := strings.Split(strings.TrimRight(r.options.Redact(text), "\n"), "\n"); text != "" {
				pod.Logs = append(pod.Logs, diagnose.Log{Container: status.Name, Previous: previous, Lines: lines})
			}
		}
	}
}

// references reads the keys of the Secrets and ConfigMaps that the pods need.
func (r *reader) references(ctx context.Context) {
	for _, workload := range r.snapshot.Workloads {
		if workload.Deployment == nil {
			continue
		}
		specs := []corev1.PodSpec{workload.Deployment.Spec.Template.Spec}
		for i := range workload.Pods {
			specs = append(specs, workload.Pods[i].Spec)
		}
		for _, spec := range specs {
			secrets, configMaps := diagnose.References(spec)
			r.lookUp(ctx, "secret", secrets, r.snapshot.Secrets, r.cluster.SecretKeys)
			r.lookUp(ctx, "configmap", configMaps, r.snapshot.ConfigMaps, r.cluster.ConfigMapKeys)
		}
	}
}

func (r *reader) lookUp(ctx context.Context, kind string, names []string, into map[string][]string,
	look func(context.Context, string, string) ([]string, bool, error)) {
	for _, name := range names {
		if _, known := into[name]; known || r.isUnseen(kind+" "+name) {
			continue
		}
		keys, exists, err := look(ctx, r.options.Namespace, name)
		switch {
		case err != nil:
			r.unseen(kind+" "+name, err)
		case !exists:
			into[name] = nil
		default:
			into[name] = append([]string{}, keys...)
		}
	}
}

func (r *reader) isUnseen(part string) bool {
	for _, unseen := range r.snapshot.Unseen {
		if strings.HasPrefix(unseen, part+": ") {
			return true
		}
	}
	return false
}

// traffic counts the workload's requests as the gates do.
func (r *reader) traffic(ctx context.Context, into *diagnose.Workload, metrics gate.Metrics) {
	now := r.options.Now()
	evaluation := gate.Evaluate(ctx, r.server, gate.Question{
		Metrics: metrics, Criteria: r.options.Criteria, Window: gate.Window{Start: now.Add(-r.options.Window), End: now},
	})
	traffic := &diagnose.Traffic{Window: r.options.Window}
	for i, result := range evaluation.Results {
		if result.Verdict == gate.Error {
			r.unseen(fmt.Sprintf("%s of %s", result.Name, into.Name), errors.New(result.Reason))
			if r.options.Criteria[i].Kind == gate.KindErrorRate {
				return
			}
			continue
		}
		counts := gate.Counts{N: result.N, K: result.K}
		if r.options.Criteria[i].Kind == gate.KindLatency {
			traffic.Slow = counts
		} else {
			traffic.Requests = counts
		}
	}
	into.Traffic = traffic
}

// usage reads the pods' resource usage. cAdvisor reports it per container, per pod, or both; the maximum counts. If
// cAdvisor is not scraped there is no usage, which is no error.
func (r *reader) usage(ctx context.Context, into *diagnose.Workload) {
	selectors := make([]string, 3)
	for i, metric := range []string{"container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total",
		"container_memory_working_set_bytes"} {
		selector, err := promql.Selector(metric, map[string]string{"namespace": r.options.Namespace},
			promql.PodsOf(into.Name))
		if err != nil {
			r.unseen("resource usage", err)
			return
		}
		selectors[i] = selector
	}
	throttled := r.byPod(ctx, promql.Max(promql.Proportion(selectors[0], selectors[1], r.options.Window), "pod"))
	memory := r.byPod(ctx, promql.Max(selectors[2], "pod"))
	for i := range into.Pods {
		pod := &into.Pods[i]
		held, known := throttled[pod.Name]
		bytes, measured := memory[pod.Name]
		if known || measured {
			pod.Usage = &diagnose.Usage{Throttled: held, Memory: bytes}
		}
	}
}

// byPod runs a query that returns one number per pod. NaN counts as 0.
func (r *reader) byPod(ctx context.Context, query string) map[string]float64 {
	answer, err := r.server.Ask(ctx, query, r.options.Now())
	if err != nil {
		r.unseen("resource usage", err)
		return nil
	}
	numbers := map[string]float64{}
	if vector, ok := answer.(model.Vector); ok {
		for _, sample := range vector {
			if value := float64(sample.Value); value == value {
				numbers[string(sample.Metric["pod"])] = value
			}
		}
	}
	return numbers
}
