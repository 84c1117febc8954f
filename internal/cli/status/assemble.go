package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/identity"
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
		Staged:  g.staged,
		Guard:   Guard{Wanted: s.IsGuarded(), Leader: g.leader, Renewed: g.renewed, DryRun: s.Guard.DryRun},
	}
	if g.guard != nil {
		status.Guard.Ready = int(g.guard.Status.ReadyReplicas)
	}
	if g.share != nil {
		g.miss("share of the requests", status.Weight.measure(*g.share, g.window()))
	}
	facts := facts{single: s.IsSingle(), stages: s.Stages, state: g.state, released: s.Latch.Release}
	if g.state != nil && !s.IsSingle() {
		stands := g.state.Weight
		status.Weight.Stands = &stands
		status.Latch, status.Quarantine = g.latch(), g.state.Quarantine
		status.onTrial(*g.state)
		if entry, latched := g.state.Latch(g.state.Image); latched && status.Latch == nil {
			facts.before = &entry
		}
		status.Advance = g.advance()
		status.Soak = g.soak(ctx)
	}
	for _, part := range slices.Sorted(maps.Keys(g.missing)) {
		status.Missing = append(status.Missing, part+": "+g.missing[part].Error())
	}
	status.Unreachable = g.unreachable()
	status.judge(facts)
	return status
}

// onTrial says what each track runs.
func (s *Status) onTrial(state ledger.State) {
	s.Identity, s.StableIdentity = state.OnTrial().Hash(), state.StableIdentity.Hash()
	for _, change := range identity.Changes(state.StableIdentity, state.OnTrial()) {
		s.Differences = append(s.Differences, change.String())
	}
	if state.Express != nil {
		s.Express = state.Express.Reason
	}
}

// unreachable is the reason when neither the Service's endpoints nor the stable track's Deployment and pods could be
// read: one that may not be read is a matter of permissions.
func (g *gathering) unreachable() string {
	stable := trackNames(g.source.Rollout.Settings)[names.Stable]
	for _, part := range []string{"endpoints", "pods of " + stable, "deployment " + stable} {
		if g.missing[part] == nil {
			return ""
		}
	}
	return g.missing["deployment "+stable].Error()
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

// advance is who takes the release to the next stage. An approval is for the image that lives, or else for the
// configured one.
func (g *gathering) advance() *Advance {
	s, image := g.source.Rollout.Settings, g.state.LivingImage()
	if image == "" {
		image = names.Digest(s.Image)
	}
	return &Advance{Mode: s.Advance.Mode, Unapproved: g.source.Rollout.Unapproved(*g.state, image)}
}

// measure takes the canary's share from the tracks' requests in a window.
func (w *Weight) measure(requests model.Vector, window time.Duration) error {
	canary, all := 0.0, 0.0
	for _, sample := range requests {
		value := float64(sample.Value)
		if math.IsNaN(value) || math.IsInf(value, 0) || value < 0 {
			return fmt.Errorf("prometheus returned %v requests for the track %q", value, sample.Metric[names.Track])
		}
		all += value
		if string(sample.Metric[names.Track]) == names.Canary {
			canary += value
		}
	}
	w.Requests, w.Window = all, window
	if all > 0 {
		share := 100 * canary / all
		w.Measured = &share
	}
	return nil
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
			track.exists(live)
		}
		for i := range g.pods[name] {
			track.count(&g.pods[name][i], g.taking)
		}
		tracks = append(tracks, track)
	}
	return tracks
}

func (t *Track) exists(live *appsv1.Deployment) {
	t.Exists, t.Desired = true, 1
	if live.Spec.Replicas != nil {
		t.Desired = int(*live.Spec.Replicas)
	}
	t.Image = podstate.ImageOf(&live.Spec.Template.Spec, live.Spec.Template.Labels[names.App])
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
	elapsed, stage := g.now.Sub(state.SoakSince), stageOf(state, spec, g.now)
	if elapsed < 4*time.Duration(g.source.Rollout.Settings.Metrics.Interval) {
		// The first samples of the stage have not arrived yet. That is not worth a note.
		return stage
	}
	reading := g.source.Evidence.Read(ctx, state.SoakSince, func(ctx context.Context) advance.Soak {
		return g.source.Rollout.Soak(ctx, state)
	})
	switch {
	case reading == nil:
		stage.checkpoint(g.entries, spec)
	case soak.IsUnseen(reading.Evaluation):
		g.miss("evidence of the soak", errors.New(reading.Evaluation.Results[0].Reason))
		stage.checkpoint(g.entries, spec)
	default:
		stage.fromReading(*reading)
	}
	stage.readings(g.entries)
	return stage
}

// stageOf is the soak of the ledger's stage, without evidence.
func stageOf(state ledger.State, spec soak.Spec, now time.Time) *Soak {
	return &Soak{
		Since: state.SoakSince, Extensions: state.Extensions, Required: Seconds(spec.Plan.Required(state.Extensions)),
		NextCheckpoint: state.SoakSince.Add(spec.Plan.Checkpoint(now.Sub(state.SoakSince))),
	}
}

// readings gives each criterion what the stage's entries and the evidence at hand show of it.
func (s *Soak) readings(entries []ledger.Entry) {
	for i := range s.Criteria {
		c := &s.Criteria[i]
		add := func(at time.Time, n, k int64, lower, upper float64) {
			last := len(c.Readings) - 1
			if n > 0 && (last < 0 || at.After(c.Readings[last].Time)) {
				c.Readings = append(c.Readings, Reading{at, float64(k) / float64(n), lower, upper})
			}
		}
		for _, entry := range entries {
			if entry.Time.Before(s.Since) {
				continue
			}
			for _, number := range entry.Numbers {
				if number.Name == c.Name {
					add(entry.Time, number.N, number.K, number.Lower, number.Upper)
				}
			}
		}
		add(s.LookedAt, c.N, c.K, c.Lower, c.Upper)
	}
}

func (s *Soak) fromReading(reading advance.Soak) {
	s.Source, s.LookedAt, s.Soaked, s.Verdict = SourceLook, reading.Evaluation.End,
		Seconds(reading.Soaked), reading.Evaluation.Verdict()
	for _, result := range reading.Evaluation.Results {
		s.Criteria = append(s.Criteria, Criterion{
			Name: result.Name, Verdict: result.Verdict, N: result.N, K: result.K, Lower: result.Lower, Upper: result.Upper,
			Target: result.Target, Rollback: result.Rollback, Reason: result.Reason, Notes: result.Notes,
		})
	}
}

// checkpoint fills in the evidence of the stage's last checkpoint or verdict.
func (s *Soak) checkpoint(entries []ledger.Entry, spec soak.Spec) {
	for _, entry := range slices.Backward(entries) {
		if entry.Time.Before(s.Since) {
			return
		}
		if entry.Kind != ledger.Checkpoint && entry.Kind != ledger.Verdict && entry.Kind != ledger.Extended ||
			len(entry.Numbers) == 0 {
			continue
		}
		s.Source, s.LookedAt = SourceCheckpoint, entry.Time
		s.Soaked, s.Verdict = Seconds(time.Duration(entry.Soaked)*time.Second), gate.Verdict(entry.Verdict)
		for _, number := range entry.Numbers {
			criterion := Criterion{Name: number.Name, Verdict: gate.Verdict(number.Verdict), N: number.N, K: number.K,
				Lower: number.Lower, Upper: number.Upper}
			for _, known := range spec.Criteria {
				if known.Name == number.Name {
					criterion.Target, criterion.Rollback = known.Target, known.Rollback
				}
			}
			s.Criteria = append(s.Criteria, criterion)
		}
		return
	}
}
