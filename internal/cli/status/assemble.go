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
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// status builds the Status from what was read.
func (g *gathering) status(ctx context.Context) *Status {
	s := g.source.Rollout.Settings
	status := &Status{
		Time: g.now.UTC(), Stack: g.source.Stack, Cluster: g.source.Origin, Namespace: s.Namespace, App: s.App,
		Release: s.Release,
		Alerts:  g.alerts, Holds: g.holds, Operator: g.operator,
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
		status.Latch, status.Quarantine = g.latch(), g.state.Quarantine
		if entry, latched := g.state.Latch(g.state.Image); latched && status.Latch == nil {
			facts.before = &entry
		}
		status.Soak = g.soak(ctx)
	}
	for _, part := range slices.Sorted(maps.Keys(g.missing)) {
		status.Missing = append(status.Missing, part+": "+g.missing[part].Error())
	}
	status.judge(facts)
	return status
}

// newest returns the last entries. Of consecutive checkpoints it keeps only the last, because in the first hour they
// would hide everything else.
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

// latch returns the latch of the configured image, or of the ledger's last image where the configuration names a tag.
func (g *gathering) latch() *ledger.Entry {
	image := names.Digest(g.source.Rollout.Settings.Image)
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
			g.miss("share of the requests", fmt.Errorf("prometheus returned %v requests for the track %q", value,
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
	s := g.source.Rollout.Settings
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
		if live := g.tracks[name]; live != nil {
			track.Exists, track.Desired = true, 1
			if live.Spec.Replicas != nil {
				track.Desired = int(*live.Spec.Replicas)
			}
			track.Image = podstate.ImageOf(&live.Spec.Template.Spec, live.Spec.Template.Labels[names.App])
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
	t.Restarts += podstate.OwnRestarts(pod, pod.Labels[names.App])
	if problem := kube.Problem(pod); problem != "" {
		t.Problems = append(t.Problems, fmt.Sprintf("pod %s: %s", pod.Name, problem))
		return
	}
	t.Ready++
}

// soak returns the soak of the current stage, or nil when there is none. The evidence is a fresh reading if one arrives
// in time, else that of the last checkpoint.
func (g *gathering) soak(ctx context.Context) *Soak {
	state, spec := *g.state, rollout.SoakSpec(g.source.Rollout.Settings)
	if state.Weight == 0 || state.SoakSince.IsZero() {
		return nil
	}
	elapsed := g.now.Sub(state.SoakSince)
	stage := &Soak{
		Since: state.SoakSince, Extensions: state.Extensions, Required: Seconds(spec.Plan.Required(state.Extensions)),
		NextCheckpoint: state.SoakSince.Add(spec.Plan.Checkpoint(elapsed)),
	}
	if elapsed < 4*time.Duration(g.source.Rollout.Settings.Metrics.Interval) {
		// The first samples of the stage have not arrived yet. That is not worth a note.
		return stage
	}
	reading := g.source.Evidence.Read(ctx, state.SoakSince, func(ctx context.Context) advance.Soak {
		return g.source.Rollout.Soak(ctx, state)
	})
	switch {
	case reading == nil:
		g.checkpoint(stage, spec)
	case soak.IsUnseen(reading.Evaluation):
		g.miss("evidence of the soak", errors.New(reading.Evaluation.Results[0].Reason))
		g.checkpoint(stage, spec)
	default:
		stage.fromReading(*reading)
	}
	return stage
}

func (s *Soak) fromReading(reading advance.Soak) {
	s.Source, s.LookedAt, s.Soaked, s.Verdict = SourceLook, reading.Evaluation.End,
		Seconds(reading.Soaked), reading.Evaluation.Verdict()
	for _, result := range reading.Evaluation.Results {
		s.Criteria = append(s.Criteria, Criterion{
			Name: result.Name, Verdict: result.Verdict, N: result.N, K: result.K, Lower: result.Lower, Upper: result.Upper,
			Target: result.Target, Rollback: result.Rollback, Reason: result.Reason,
		})
	}
}

// checkpoint fills in the evidence of the stage's last checkpoint or verdict.
func (g *gathering) checkpoint(stage *Soak, spec soak.Spec) {
	for _, entry := range slices.Backward(g.entries) {
		if entry.Time.Before(stage.Since) {
			return
		}
		if entry.Kind != ledger.Checkpoint && entry.Kind != ledger.Verdict && entry.Kind != ledger.Extended ||
			len(entry.Numbers) == 0 {
			continue
		}
		stage.Source, stage.LookedAt = SourceCheckpoint, entry.Time
		stage.Soaked, stage.Verdict = Seconds(time.Duration(entry.Soaked)*time.Second), gate.Verdict(entry.Verdict)
		for _, number := range entry.Numbers {
			criterion := Criterion{Name: number.Name, Verdict: gate.Verdict(number.Verdict), N: number.N, K: number.K,
				Lower: number.Lower, Upper: number.Upper}
			for _, known := range spec.Criteria {
				if known.Name == number.Name {
					criterion.Target, criterion.Rollback = known.Target, known.Rollback
				}
			}
			stage.Criteria = append(stage.Criteria, criterion)
		}
		return
	}
}
