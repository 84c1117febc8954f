package soak

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Pods lists pods.
type Pods interface {
	// AllPods lists the pods that carry all the labels, ready or not, whosever they are.
	AllPods(ctx context.Context, namespace string, labels map[string]string) ([]corev1.Pod, error)
	// DeploymentPods lists the pods of a Deployment, and none that merely carries its labels.
	DeploymentPods(ctx context.Context, namespace, deployment string) ([]corev1.Pod, error)
}

// Server is the Prometheus that is asked.
type Server interface {
	gate.Querier
	gate.Asker
}

// limit bounds a look: two days of samples of many pods are read in pieces.
const limit = 3 * time.Minute

// Look gathers the evidence of the stage that the rollout stands at by its ledger, up to now. Whatever keeps it from
// looking is a result with verdict error; nothing is returned as an error.
func Look(ctx context.Context, spec Spec, pods Pods, server Server, state ledger.State, now time.Time) advance.Soak {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the evidence was not read within %v", limit))
	defer cancel()
	soak := advance.Soak{Plan: spec.Plan, Extensions: state.Extensions, Since: state.SoakSince}
	window := gate.Window{Start: state.SoakSince, End: now}
	metrics := spec.Series(names.Canary, state.Release)
	coverage, err := gate.Cover(ctx, server, metrics, window)
	if err != nil {
		soak.Evaluation = Unseen(window, err)
		return soak
	}
	soak.Soaked = coverage.Covered
	if err := spec.Impostors(ctx, pods, state.Release); err != nil {
		soak.Evaluation = Unseen(window, err)
		return soak
	}
	soak.Evaluation = gate.EvaluateSoak(ctx, server, gate.Question{
		Metrics: metrics, Stable: spec.Beside(state.Weight), Criteria: spec.Criteria, Window: window,
	})
	soak.Evaluation.Results = append(soak.Evaluation.Results, spec.conditions(ctx, pods, server, state.Release, window)...)
	return soak
}

// Unseen is the evaluation of a soak that nobody could look at.
func Unseen(window gate.Window, err error) gate.Evaluation {
	return gate.Evaluation{Start: window.Start, End: window.End,
		Results: []gate.Result{{Name: unseen, Verdict: gate.Error, Reason: err.Error()}}}
}

// unseen is the name of the only result of an evaluation that nobody could make.
const unseen = "prometheus"

// IsUnseen tells an evaluation that nobody could make from one with results.
func IsUnseen(evaluation gate.Evaluation) bool {
	return len(evaluation.Results) == 1 && evaluation.Results[0].Name == unseen
}

// conditions are the criteria that count no requests: restarts, alerts, and the stack's own.
func (s Spec) conditions(ctx context.Context, pods Pods, asker gate.Asker, release string,
	window gate.Window) []gate.Result {
	rollout := gate.Rollout{
		Namespace: s.Namespace, App: s.App, Release: release, Track: names.Canary, Deployment: s.Deployment(release),
	}
	var results []gate.Result
	found, err := pods.DeploymentPods(ctx, s.Namespace, s.Deployment(release))
	if err != nil {
		results = append(results, gate.Result{Name: "restarts", Verdict: gate.Error, Reason: err.Error()})
	} else {
		results = append(results, gate.Restarts(ctx, asker, rollout, podStates(found), window))
	}
	if s.Alerts {
		results = append(results, gate.Firing(ctx, asker, rollout, window))
	}
	for _, own := range s.Own {
		results = append(results, own.Evaluate(ctx, asker, rollout, window))
	}
	return results
}

// Impostors is an error when a pod carries the labels of the release's canary without being one of its Deployment's.
// Prometheus knows pods by their labels alone: what such a pod counts cannot be told from what the canary counts, so
// that neither a verdict for nor one against it would stand.
func (s Spec) Impostors(ctx context.Context, pods Pods, release string) error {
	labelled, err := pods.AllPods(ctx, s.Namespace, s.Canary(release))
	if err != nil {
		return err
	}
	own, err := pods.DeploymentPods(ctx, s.Namespace, s.Deployment(release))
	if err != nil {
		return err
	}
	var names []string
	for i := range labelled {
		isOwn := slices.ContainsFunc(own, func(pod corev1.Pod) bool {
			return pod.UID == labelled[i].UID &&
				pod.Name == labelled[i].Name
		})
		// One that is being deleted may have gone between the two looks.
		if !isOwn && labelled[i].DeletionTimestamp == nil {
			names = append(names, labelled[i].Name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("pods with the labels of %s that are not of its deployment: %s: their metrics pass for the "+
			"canary's; look who made them, and delete them",
			s.Deployment(release), strings.Join(names, ", "))
	}
	return nil
}

func podStates(pods []corev1.Pod) []gate.PodState {
	var states []gate.PodState
	for i := range pods {
		states = append(states, gate.PodState{
			Name: pods[i].Name, Restarts: podstate.Restarts(pods[i].Status),
			CrashLoop: slices.ContainsFunc(podstate.Containers(&pods[i]), podstate.IsCrashLooping),
		})
	}
	return states
}

// Numbers are an evaluation's as the ledger keeps them.
func Numbers(evaluation gate.Evaluation) []ledger.Number {
	var list []ledger.Number
	rounded := func(share float64) float64 { return math.Round(share*1e6) / 1e6 }
	for _, result := range evaluation.Results {
		list = append(list, ledger.Number{
			Name: result.Name, Verdict: string(result.Verdict), N: result.N, K: result.K, Lower: rounded(result.Lower),
			Upper: rounded(result.Upper),
		})
	}
	return list
}
