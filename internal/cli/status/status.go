package status

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Status is the state of a rollout.
type Status struct {
	Time      time.Time `json:"time"`
	Stack     string    `json:"stack"`
	Cluster   string    `json:"cluster"`
	Namespace string    `json:"namespace"`
	App       string    `json:"app"`
	// Release is the configured release.
	Release string `json:"release"`
	// ByGuard is true for what a guard sees, which does not know the configuration.
	ByGuard bool `json:"-"`
	// Phase is the state in one word, Summary in one sentence.
	Phase   Phase  `json:"phase"`
	Summary string `json:"summary"`
	// Order says if the rollout is in order.
	Order Order `json:"order"`
	// Notes are contradictions and next steps, the most urgent first.
	Notes []string `json:"notes,omitempty"`

	// Identity is the short form of what is on trial, or was last, StableIdentity of what stable runs; empty where the
	// ledger does not know them. Differences are the parts in which they differ, in words.
	Identity       string `json:"identity,omitempty"`
	StableIdentity string `json:"stableIdentity,omitempty"`
	// Express is why a change is on its way to both tracks by the express lane; empty for none.
	Express     string   `json:"express,omitempty"`
	Differences []string `json:"differences,omitempty"`

	Weight Weight  `json:"weight"`
	Tracks []Track `json:"tracks"`
	Soak   *Soak   `json:"soak,omitempty"`
	Alerts []Alert `json:"alerts"`
	// Staged is the digest that the staging stack has verified, where the configuration leaves the image to it.
	Staged string `json:"staged,omitempty"`
	// Latch is the latch of the canary's image; nil when it has none.
	Latch *ledger.Entry `json:"latch,omitempty"`
	// Holds are what holds an upward move back now from outside the release: calendar, incidents and checklist.
	Holds []Hold `json:"holds,omitempty"`
	// Advance says who takes the release to the next stage; nil for a stack without stages.
	Advance *Advance `json:"advance,omitempty"`
	// Quarantine is the entry by which the canary is out of traffic for a while; nil while it is not.
	Quarantine *ledger.Entry `json:"quarantine,omitempty"`
	Guard      Guard         `json:"guard"`
	// Operator is the holder of the operators' Lease; empty for nobody.
	Operator string `json:"operator,omitempty"`
	// Entries are the last entries of the ledger, the oldest first.
	Entries []ledger.Entry `json:"entries"`
	// Missing lists the parts that could not be read, with the reason.
	Missing []string `json:"missing,omitempty"`
	// Unreachable is the reason when nothing of the cluster could be read, empty else. The rest is no news then.
	Unreachable string `json:"unreachable,omitempty"`
}

// Advance says who takes a release to the next stage.
type Advance struct {
	// Mode is manual or auto.
	Mode string `json:"mode"`
	// Unapproved are the stages ahead, in percent, that wait for a person's approval; 0 is the finish.
	Unapproved []int `json:"unapproved,omitempty"`
}

// Phase is the state of a rollout in one word.
type Phase string

// Phases of a rollout.
const (
	// PhaseUnknown: the ledger could not be read.
	PhaseUnknown Phase = "unknown"
	// PhaseSingle: the stack has one track and no canary.
	PhaseSingle Phase = "single track"
	// PhaseIdle: no canary serves requests.
	PhaseIdle Phase = "idle"
	// PhaseShifting: a shift was admitted and has not passed its gate.
	PhaseShifting Phase = "shifting"
	// PhaseSoaking: the stage soaks.
	PhaseSoaking Phase = "soaking"
	// PhaseReady: the stage has soaked and meets its criteria.
	PhaseReady Phase = "ready"
	// PhaseRollingBack: a rollback began and its outcome is not recorded.
	PhaseRollingBack Phase = "rolling back"
	// PhaseRolledBack: the canary was rolled back, and its image is latched.
	PhaseRolledBack Phase = "rolled back"
)

// Order says if a rollout is in order.
type Order string

// Values of Order.
const (
	InOrder    Order = "yes"
	OutOfOrder Order = "no"
	// OrderUnknown: too little could be read to decide.
	OrderUnknown Order = "unknown"
)

// Weight is the canary's share of the requests, in percent.
type Weight struct {
	// Asked is the configured weight, Stands the weight in the ledger, Passed the weight that last passed its gate.
	// Stands and Passed are nil when unknown.
	Asked  int  `json:"asked"`
	Stands *int `json:"stands,omitempty"`
	Passed *int `json:"passed,omitempty"`
	// Measured is the canary's share of Requests, all requests within Window; nil without requests.
	Measured *float64      `json:"measured,omitempty"`
	Requests float64       `json:"requests,omitempty"`
	Window   time.Duration `json:"windowNanoseconds,omitempty"`
}

// Track is a Deployment and its pods.
type Track struct {
	Name       string `json:"name"`
	Deployment string `json:"deployment"`
	// Exists is false when there is no such Deployment.
	Exists bool   `json:"exists"`
	Image  string `json:"image,omitempty"`
	// Planned is the number of pods in the plan, Desired in the Deployment. Ready counts the pods that are ready, Taking
	// those that serve requests.
	Planned  int `json:"planned"`
	Desired  int `json:"desired"`
	Ready    int `json:"ready"`
	Taking   int `json:"taking"`
	Isolated int `json:"isolated,omitempty"`
	Restarts int `json:"restarts,omitempty"`
	// Problems lists the pods that are not ready, with the reason.
	Problems []string `json:"problems,omitempty"`
}

// Soak is the soak of the current stage.
type Soak struct {
	Since      time.Time `json:"since"`
	Soaked     Seconds   `json:"soakedSeconds"`
	Required   Seconds   `json:"requiredSeconds"`
	Extensions int       `json:"extensions,omitempty"`
	// NextCheckpoint is the time of the next scheduled checkpoint.
	NextCheckpoint time.Time `json:"nextCheckpoint"`
	// Source is the origin of the evidence, a fresh reading or the last checkpoint; LookedAt is its time.
	Source   string       `json:"source,omitempty"`
	LookedAt time.Time    `json:"lookedAt,omitzero"`
	Verdict  gate.Verdict `json:"verdict,omitempty"`
	Criteria []Criterion  `json:"criteria,omitempty"`
}

// Sources of a soak's evidence.
const (
	SourceLook       = "prometheus"
	SourceCheckpoint = "checkpoint"
)

// Seconds is a duration that marshals to a JSON number of seconds.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) { return appendSeconds(time.Duration(s)), nil }

// Criterion is a success condition with its numbers. A criterion that counts no requests has a verdict and a reason
// only.
type Criterion struct {
	Name    string       `json:"name"`
	Verdict gate.Verdict `json:"verdict"`
	// N is the number of requests, K the number of bad ones; Lower and Upper bound the bad share, from 0 to 1.
	N        int64   `json:"n,omitempty"`
	K        int64   `json:"k,omitempty"`
	Lower    float64 `json:"lower,omitempty"`
	Upper    float64 `json:"upper,omitempty"`
	Target   float64 `json:"target,omitempty"`
	Rollback float64 `json:"rollback,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	// Notes are about what is not counted, and about requests that will be missing.
	Notes []string `json:"notes,omitempty"`
	// Readings are those of the stage until now, the oldest first: its checkpoints, and the present one.
	Readings []Reading `json:"readings,omitempty"`
}

// Reading is what a criterion showed at a time: its bad share, from 0 to 1, between its bounds.
type Reading struct {
	Time  time.Time `json:"time"`
	Share float64   `json:"share"`
	Lower float64   `json:"lower"`
	Upper float64   `json:"upper"`
}

// Alert is a firing alert.
type Alert struct {
	Name     string `json:"name"`
	Severity string `json:"severity,omitempty"`
	Action   string `json:"action,omitempty"`
}

// Hold is a reason against an upward move.
type Hold struct {
	Cause  string `json:"cause"`
	Reason string `json:"found"`
	// Resolve is the way on, empty for a hold that is lifted by an override.
	Resolve string `json:"resolve,omitempty"`
	// Opens is the next opening of the calendar, for people; empty where there is none.
	Opens string `json:"opens,omitempty"`
	// Lifted is the reason of the override that lifts it; empty where it counts.
	Lifted string `json:"lifted,omitempty"`
}

// Guard is the state of the guard.
type Guard struct {
	// Wanted is true when the configuration asks for a guard.
	Wanted bool `json:"wanted"`
	Ready  int  `json:"ready"`
	// Leader is the active replica, empty for none; Renewed is the last renewal of its Lease.
	Leader  string    `json:"leader,omitempty"`
	Renewed time.Time `json:"renewed,omitzero"`
	DryRun  bool      `json:"dryRun,omitempty"`
}
