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
	"github.com/vextrus/finance-rollout/internal/relative"
)

// Pods lists pods.
type Pods interface {
	// AllPods lists the pods that carry all the labels, ready or not and of any owner.
	AllPods(ctx context.Context, namespace string, labels map[string]string) ([]corev1.Pod, error)
	// DeploymentPods lists the pods that a Deployment owns.
	DeploymentPods(ctx context.Context, namespace, deployment string) ([]corev1.Pod, error)
}

// Server is a Prometheus server.
type Server interface {
	gate.Querier
	gate.Asker
}

// limit bounds a look, which reads two days of samples of many pods in pieces.
const limit = 3 * time.Minute

// Look gathers the evidence on the stage that the rollout stands at by its ledger, up to now. A source that fails gives
// a result with verdict Error instead of an error.
func Look(ctx context.Context, spec Spec, pods Pods, server Server, state ledger.State, now time.Time) advance.Soak {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the evidence was not read within %v", limit))
	defer cancel()
	soak := advance.Soak{Plan: spec.Plan, Extensions: state.Extensions, Since: state.SoakSince, Criteria: spec.Criteria,
		Queries: spec.Queries, Relative: spec.Relative}
	window := gate.Window{Start: state.SoakSince, End: now, Except: smokeTests(state)}
	metrics := spec.Series(names.Canary, state.Release)
	coverage, err := gate.Cover(ctx, server, metrics, window)
	if err != nil {
		soak.Evaluation = Unseen(window, err)
		return soak
	}
	// What Prometheus scraped of a canary in quarantine was no soaking. Where it did not scrape it either, the time is
	// taken off twice: the soak is longer then, and never shorter.
	soak.Soaked = max(coverage.Covered-state.OutOfTraffic(now), 0)
	if err := spec.Impostors(ctx, pods, state.Release); err != nil {
		soak.Evaluation = Unseen(window, err)
		return soak
	}
	stable := spec.Beside(state.Weight)
	soak.Evaluation = gate.EvaluateSoak(ctx, server, gate.Question{
		Metrics: metrics, Stable: stable, Criteria: spec.Criteria, Window: window,
	})
	forewarn(soak)
	if spec.Relative != nil && stable != nil {
		soak.Evaluation.Results = append(soak.Evaluation.Results, relative.Look(ctx, server, relative.Question{
			Limits: *spec.Relative, Canary: metrics, Stable: *stable, Window: window,
		})...)
	}
	soak.Evaluation.Results = append(soak.Evaluation.Results, spec.conditions(ctx, pods, server, state.Release, window)...)
	soak.Evaluation.Results = append(soak.Evaluation.Results, quarantined(state)...)
	return soak
}

// forewarn notes on the criteria that the requests until the end of the soak will not decide.
func forewarn(soak advance.Soak) {
	for i := range soak.Evaluation.Results {
		result := &soak.Evaluation.Results[i]
		outlook, ok := result.Outlook(soak.Soaked, soak.Plan.Required(soak.Extensions))
		if ok && !outlook.Decides() {
			result.Notes = append(result.Notes, "until the end of the soak "+outlook.String())
		}
	}
}

// smokeTests are the times in which the smoke suite sent requests.
func smokeTests(state ledger.State) []gate.Window {
	var times []gate.Window
	for _, test := range state.SmokeTests {
		times = append(times, gate.Window{Start: test.Start, End: test.End})
	}
	return times
}

// quarantined is the result that holds a canary back while it is out of traffic. It is an error and not inconclusive,
// so that it does not extend the soak.
func quarantined(state ledger.State) []gate.Result {
	if state.Quarantine == nil {
		return nil
	}
	reason := fmt.Sprintf("the canary is out of traffic since %s (%s)",
		state.Quarantine.Time.UTC().Format(time.RFC3339), state.Quarantine.Reason)
	if state.Quarantine.Until != nil {
		reason += "; look again after " + state.Quarantine.Until.UTC().Format(time.RFC3339)
	}
	return []gate.Result{{Name: "quarantine", Verdict: gate.Error, Reason: reason}}
}

// Unseen is the evaluation of a soak whose evidence could not be read.
func Unseen(window gate.Window, err error) gate.Evaluation {
	return gate.Evaluation{Start: window.Start, End: window.End,
		Results: []gate.Result{{Name: unseen, Verdict: gate.Error, Reason: err.Error()}}}
}

// unseen is the name of the only result of such an evaluation.
const unseen = "prometheus"

// IsUnseen reports whether the evidence of the evaluation could not be read.
func IsUnseen(evaluation gate.Evaluation) bool {
	return len(evaluation.Results) == 1 && evaluation.Results[0].Name == unseen
}

// conditions judges the criteria that count no requests: restarts, alerts, and queries.
func (s Spec) conditions(ctx context.Context, pods Pods, asker gate.Asker, release string,
	window gate.Window) []gate.Result {
	rollout := gate.Rollout{
		Namespace: s.Namespace, App: s.App, Release: release, Track: names.Canary, Deployment: s.Deployment(release),
	}
	var results []gate.Result
	canary, err := pods.DeploymentPods(ctx, s.Namespace, s.Deployment(release))
	if err != nil {
		results = append(results, gate.Result{Name: "restarts", Verdict: gate.Error, Reason: err.Error()})
	} else {
		results = append(results, gate.Restarts(ctx, asker, rollout, podStates(canary), window))
	}
	if s.Alerts {
		results = append(results, gate.Firing(ctx, asker, rollout, window))
	}
	for _, query := range s.Queries {
		results = append(results, query.Evaluate(ctx, asker, rollout, window))
	}
	return results
}

// Impostors returns an error that names the pods that carry the labels of the release's canary and do not belong to its
// Deployment. Prometheus distinguishes pods by their labels alone: the requests of such a pod count as the canary's, so
// that no verdict on the canary would be sound.
func (s Spec) Impostors(ctx context.Context, pods Pods, release string) error {
	labelled, err := pods.AllPods(ctx, s.Namespace, s.Canary(release))
	if err != nil {
		return err
	}
	owned, err := pods.DeploymentPods(ctx, s.Namespace, s.Deployment(release))
	if err != nil {
		return err
	}
	var impostors []string
	for i := range labelled {
		isOwned := slices.ContainsFunc(owned, func(pod corev1.Pod) bool {
			return pod.UID == labelled[i].UID && pod.Name == labelled[i].Name
		})
		// A pod that is being deleted may have gone between the two lists.
		if !isOwned && labelled[i].DeletionTimestamp == nil {
			impostors = append(impostors, labelled[i].Name)
		}
	}
	if len(impostors) > 0 {
		return fmt.Errorf("pods have the labels of deployment %s and do not belong to it: %s: their metrics count as the "+
			"canary's; find their owner and delete them: kubectl get pod -n %s %s -o yaml",
			s.Deployment(release), strings.Join(impostors, ", "), s.Namespace, impostors[0])
	}
	return nil
}

// podStates are those of the service's own containers: a sidecar's trouble is not the release's.
func podStates(pods []corev1.Pod) []gate.PodState {
	var states []gate.PodState
	for i := range pods {
		service := pods[i].Labels[names.App]
		states = append(states, gate.PodState{
			Name: pods[i].Name, Restarts: podstate.OwnRestarts(&pods[i], service),
			CrashLoop: slices.ContainsFunc(podstate.OwnStatuses(&pods[i], service), podstate.IsCrashLooping),
		})
	}
	return states
}

// Numbers are the results of an evaluation in the form of the ledger, with shares rounded to six decimals.
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
