package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// status puts together what was read.
func (g *gathering) status(ctx context.Context) *Status {
	s := g.source.Settings
	status := &Status{
		Time: g.now.UTC(), Stack: g.source.Stack, Cluster: g.source.Origin, Namespace: s.Namespace, App: s.App,
		Release: s.Release,
		Alerts:  g.alerts, Operator: g.operator,
		Weight:  Weight{Asked: s.Position().Weight, Passed: g.passed()},
		Tracks:  g.trackStates(),
		Entries: newest(g.entries),
		Guard:   Guard{Wanted: s.IsGuarded(), Leader: g.leader, Renewed: g.renewed, DryRun: s.Guard.DryRun},
	}
	if g.guard != nil {
		status.Guard.Ready = int(g.guard.Status.ReadyReplicas)
	}
	g.measured(&status.Weight)
	facts := facts{single: s.IsSingle(), stages: s.Stages, state: g.state, released: s.Latch.Release}
	if g.state != nil && !s.IsSingle() {
		stands := g.state.Weight
		status.Weight.Stands = &stands
		status.Latch = g.latch()
		if entry, latched := g.state.Latch(g.state.Image); latched && status.Latch == nil {
			facts.before = &entry
		}
		status.Soak = g.soak(ctx)
	}
	for _, what := range slices.Sorted(maps.Keys(g.missing)) {
		status.Missing = append(status.Missing, what+": "+g.missing[what].Error())
	}
	status.judge(facts)
	return status
}

// newest are the last entries, of checkpoints in a row the last alone: in the first hour they would hide everything
// else.
func newest(entries []ledger.Entry) []ledger.Entry {
	var shown []ledger.Entry
	for i, entry := range entries {
		if entry.Kind == ledger.Checkpoint && i+1 < len(entries) && entries[i+1].Kind == ledger.Checkpoint {
			continue
		}
		shown = append(shown, entry)
	}
	return shown[max(0, len(shown)-shownEntries):]
}

// latch is that of the image which the configuration is about; where it names a tag, that of the ledger's last image.
func (g *gathering) latch() *ledger.Entry {
	image := names.Digest(g.source.Settings.Image)
	if image == "" {
		image = g.state.Image
	}
	if entry, latched := g.state.Latch(image); latched {
		return &entry
	}
	return nil
}

func (g *gathering) measured(weight *Weight) {
	if g.share == nil {
		return
	}
	canary, all := 0.0, 0.0
	for _, sample := range *g.share {
		value := float64(sample.Value)
		if math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
			g.miss("share of the requests", fmt.Errorf("prometheus answers with %v requests of the track %q", value,
				sample.Metric[names.Track]))
			return
		}
		all += value
		if string(sample.Metric[names.Track]) == names.Canary {
			canary += value
		}
	}
	weight.Requests, weight.Window = all, g.window()
	if weight.Requests > 0 {
		share := 100 * canary / weight.Requests
		weight.Measured = &share
	}
}

func (g *gathering) trackStates() []Track {
	s := g.source.Settings
	deployments, position := trackNames(s), s.Position()
	var tracks []Track
	for _, name := range []string{names.Stable, names.Canary} {
		deployment, wanted := deployments[name]
		if !wanted {
			continue
		}
		track := Track{Name: name, Deployment: deployment, Planned: position.Stable}
		if name == names.Canary {
			track.Planned = position.Canary
		}
		if found := g.tracks[name]; found != nil {
			track.Exists, track.Desired = true, 1
			if found.Spec.Replicas != nil {
				track.Desired = int(*found.Spec.Replicas)
			}
			if containers := found.Spec.Template.Spec.Containers; len(containers) > 0 {
				track.Image = containers[0].Image
			}
		}
		for i := range g.pods[name] {
			track.count(&g.pods[name][i], g.taking)
		}
		tracks = append(tracks, track)
	}
	return tracks
}

func (t *Track) count(pod *corev1.Pod, taking []string) {
	if slices.Contains(taking, pod.Name) {
		t.Taking++
	}
	if pod.DeletionTimestamp != nil {
		return
	}
	if pod.Labels[names.Traffic] == names.Isolated {
		t.Isolated++
	}
	for _, container := range pod.Status.ContainerStatuses {
		t.Restarts += int(container.RestartCount)
	}
	if problem := kube.Problem(pod); problem != "" {
		t.Problems = append(t.Problems, fmt.Sprintf("pod %s: %s", pod.Name, problem))
		return
	}
	t.Ready++
}

// soak is the watch of the present stage, nil where none runs. The evidence is a fresh look where there is one in
// time, else that of the last checkpoint.
func (g *gathering) soak(ctx context.Context) *Soak {
	state, spec := *g.state, rollout.SoakSpec(g.source.Settings)
	if state.Weight == 0 || state.SoakSince.IsZero() {
		return nil
	}
	elapsed := g.now.Sub(state.SoakSince)
	made := &Soak{
		Since: state.SoakSince, Extensions: state.Extensions, Required: Seconds(spec.Plan.Required(state.Extensions)),
		NextCheckpoint: state.SoakSince.Add(spec.Plan.Checkpoint(elapsed)),
	}
	if elapsed < 4*time.Duration(g.source.Settings.Metrics.Interval) {
		// The first samples of the stage are on their way: that they are missing is no news.
		return made
	}
	look := g.source.Evidence.Read(ctx, state.SoakSince, func(ctx context.Context) advance.Soak {
		return rollout.LookAtSoak(ctx, g.source.Settings, g.source.Cluster, g.source.Prometheus, state, g.source.Now())
	})
	switch {
	case look == nil:
		g.checkpoint(made, spec)
	case soak.IsUnseen(look.Evaluation):
		g.miss("evidence of the soak", errors.New(look.Evaluation.Results[0].Reason))
		g.checkpoint(made, spec)
	default:
		made.take(*look)
	}
	return made
}

func (s *Soak) take(look advance.Soak) {
	s.Source, s.LookedAt, s.Soaked, s.Verdict = SourceLook, look.Evaluation.End, Seconds(look.Soaked),
		look.Evaluation.Verdict()
	for _, result := range look.Evaluation.Results {
		s.Criteria = append(s.Criteria, Criterion{
			Name: result.Name, Verdict: result.Verdict, N: result.N, K: result.K, Lower: result.Lower, Upper: result.Upper,
			Target: result.Target, Rollback: result.Rollback, Reason: result.Reason,
		})
	}
}

// checkpoint takes the evidence from the last checkpoint or verdict of the stage.
func (g *gathering) checkpoint(made *Soak, spec soak.Spec) {
	for _, entry := range slices.Backward(g.entries) {
		if entry.Time.Before(made.Since) {
			return
		}
		if entry.Kind != ledger.Checkpoint && entry.Kind != ledger.Verdict && entry.Kind != ledger.Extended ||
			len(entry.Numbers) == 0 {
			continue
		}
		made.Source, made.LookedAt = SourceCheckpoint, entry.Time
		made.Soaked, made.Verdict = Seconds(time.Duration(entry.Soaked)*time.Second), gate.Verdict(entry.Verdict)
		for _, number := range entry.Numbers {
			criterion := Criterion{Name: number.Name, Verdict: gate.Verdict(number.Verdict), N: number.N, K: number.K,
				Lower: number.Lower, Upper: number.Upper}
			for _, known := range spec.Criteria {
				if known.Name == number.Name {
					criterion.Target, criterion.Rollback = known.Target, known.Rollback
				}
			}
			made.Criteria = append(made.Criteria, criterion)
		}
		return
	}
}
