package status

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Sight is what a guard sees of the rollout that it watches. A guard does not know the stack's configuration: neither
// the weight that it asks for, nor calendar, approvals and checklist. The status leaves them out.
type Sight struct {
	Time time.Time
	// Stack and Origin are the names of the stack and of the guard, for people.
	Stack, Origin, Release string
	Spec                   soak.Spec
	// Deployments and Pods are those of each track, by its name. Taking are the pods that serve requests.
	Deployments map[string]*appsv1.Deployment
	Pods        map[string][]*corev1.Pod
	Taking      []string
	// Record is the release record, History the ledger; nil where they could not be read.
	Record  map[string]string
	History *ledger.Ledger
	// Requests are those of each track within the window of [Sight.Window]; nil where they could not be read.
	Requests *model.Vector
	// Firing are the alerts that fire.
	Firing model.Vector
	Guard  Guard
	// Missing is why a part could not be read, by its name.
	Missing map[string]error
}

// Names of the parts of a [Sight] that come from the API server. Where none of them can be read, nothing is news.
const (
	PartLedger    = "ledger"
	PartEndpoints = "endpoints"
)

// Window is the window over which the tracks' requests are to be counted.
func (s *Sight) Window() time.Duration {
	if s.History == nil {
		return shareWindow
	}
	return windowOf(s.History.State(), s.Spec.Metrics.ScrapeInterval, s.Time)
}

// Status is what the guard sees as a status. The soak's numbers are those of the last checkpoint.
func (s *Sight) Status() *Status {
	status := &Status{Time: s.Time.UTC(), Stack: s.Stack, Cluster: s.Origin, Namespace: s.Spec.Namespace, App: s.Spec.App,
		Release: s.Release, ByGuard: true, Alerts: alertsOf(s.Firing), Tracks: s.tracks(), Guard: s.Guard}
	if weight, err := strconv.Atoi(s.Record["weight"]); err == nil {
		status.Weight.Passed = &weight
	}
	missing := map[string]error{}
	maps.Copy(missing, s.Missing)
	if s.Requests != nil {
		if err := status.Weight.measure(*s.Requests, s.Window()); err != nil {
			missing["share of the requests"] = err
		}
	}
	facts := facts{}
	if s.History != nil {
		state := s.History.State()
		facts.state = &state
		status.follow(state, s.History.Entries(), s.Spec)
	}
	for _, part := range slices.Sorted(maps.Keys(missing)) {
		status.Missing = append(status.Missing, part+": "+missing[part].Error())
	}
	if s.Missing[PartLedger] != nil && s.Missing[PartEndpoints] != nil {
		status.Unreachable = s.Missing[PartLedger].Error()
	}
	status.judge(facts)
	return status
}

// follow takes over what the ledger says.
func (s *Status) follow(state ledger.State, entries []ledger.Entry, spec soak.Spec) {
	s.Weight.Asked, s.Weight.Stands = state.Weight, &state.Weight
	s.Quarantine, s.Entries = state.Quarantine, newest(entries)
	s.onTrial(state)
	if entry, latched := state.Latch(state.Image); latched {
		s.Latch = &entry
	}
	if state.Weight > 0 && !state.SoakSince.IsZero() {
		s.Soak = stageOf(state, spec, s.Time)
		s.Soak.checkpoint(entries, spec)
		s.Soak.readings(entries)
	}
}

// tracks are the tracks as they are. Their plan is not known: what they ask for stands for it.
func (s *Sight) tracks() []Track {
	var tracks []Track
	for _, name := range []string{names.Stable, names.Canary} {
		track := Track{Name: name, Deployment: names.StableDeployment(s.Spec.App)}
		if name == names.Canary {
			track.Deployment = s.Spec.Deployment(s.Release)
		}
		if live := s.Deployments[name]; live != nil {
			track.exists(live)
		}
		track.Planned = track.Desired
		for _, pod := range s.Pods[name] {
			track.count(pod, s.Taking)
		}
		tracks = append(tracks, track)
	}
	return tracks
}
