package status

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Status is where a rollout stands.
type Status struct {
	Time      time.Time `json:"time"`
	Stack     string    `json:"stack"`
	Cluster   string    `json:"cluster"`
	Namespace string    `json:"namespace"`
	App       string    `json:"app"`
	// Release is the release that the configuration is about.
	Release string `json:"release"`
	// Phase says in a word where the rollout stands, Summary in a sentence.
	Phase   Phase  `json:"phase"`
	Summary string `json:"summary"`
	// Order tells whether it is in order.
	Order Order `json:"order"`
	// Notes are what does not fit together, and what to do next.
	Notes []string `json:"notes,omitempty"`

	Weight Weight  `json:"weight"`
	Tracks []Track `json:"tracks"`
	Soak   *Soak   `json:"soak,omitempty"`
	Alerts []Alert `json:"alerts"`
	// Latch keeps the canary's image out; nil when none does.
	Latch *ledger.Entry `json:"latch,omitempty"`
	Guard Guard         `json:"guard"`
	// Operator is who is at work on the rollout with a command of this kind; empty for nobody.
	Operator string `json:"operator,omitempty"`
	// Entries are the last of the ledger, the oldest first.
	Entries []ledger.Entry `json:"entries"`
	// Missing says what could not be read, and why.
	Missing []string `json:"missing,omitempty"`
}

// Phase is where a rollout stands, in a word.
type Phase string

// Phases of a rollout.
const (
	// PhaseUnknown: the ledger could not be read.
	PhaseUnknown Phase = "unknown"
	// PhaseSingle: the stack has one track and no canary.
	PhaseSingle Phase = "single track"
	// PhaseIdle: no canary has requests.
	PhaseIdle Phase = "idle"
	// PhaseShifting: a shift was let through and has not passed its gate.
	PhaseShifting Phase = "shifting"
	// PhaseSoaking: a stage is being watched.
	PhaseSoaking Phase = "soaking"
	// PhaseReady: the stage's soak is over, and its evidence lets the rollout advance.
	PhaseReady Phase = "ready"
	// PhaseRollingBack: a rollback was begun and its outcome is not recorded.
	PhaseRollingBack Phase = "rolling back"
	// PhaseRolledBack: the canary was rolled back, and its image is latched.
	PhaseRolledBack Phase = "rolled back"
)

// Order tells whether a rollout is in order.
type Order string

// Whether it is in order.
const (
	InOrder    Order = "yes"
	OutOfOrder Order = "no"
	// OrderUnknown: too little could be read to tell.
	OrderUnknown Order = "unknown"
)

// Weight is the canary's share of the requests, in percent.
type Weight struct {
	// Asked is what the configuration asks for, Stands what the ledger says, Passed what passed its gate last; the last
	// two are nil where nobody knows.
	Asked  int  `json:"asked"`
	Stands *int `json:"stands,omitempty"`
	Passed *int `json:"passed,omitempty"`
	// Measured is the share of the requests that reached the canary over Window, of Requests in all; nil without requests.
	Measured *float64      `json:"measured,omitempty"`
	Requests float64       `json:"requests,omitempty"`
	Window   time.Duration `json:"windowNanoseconds,omitempty"`
}

// Track is one Deployment and its pods.
type Track struct {
	Name       string `json:"name"`
	Deployment string `json:"deployment"`
	// Exists is false where there is no such Deployment.
	Exists bool   `json:"exists"`
	Image  string `json:"image,omitempty"`
	// Planned is how many pods the configuration asks for, Desired what the Deployment asks for, Ready how many are
	// ready and Taking how many the Service sends requests to.
	Planned  int `json:"planned"`
	Desired  int `json:"desired"`
	Ready    int `json:"ready"`
	Taking   int `json:"taking"`
	Isolated int `json:"isolated,omitempty"`
	Restarts int `json:"restarts,omitempty"`
	// Problems are the pods that are not ready, and why.
	Problems []string `json:"problems,omitempty"`
}

// Soak is the watch of the stage that the rollout stands at.
type Soak struct {
	Since      time.Time `json:"since"`
	Soaked     Seconds   `json:"soakedSeconds"`
	Required   Seconds   `json:"requiredSeconds"`
	Extensions int       `json:"extensions,omitempty"`
	// NextCheckpoint is when the next scheduled look is due.
	NextCheckpoint time.Time `json:"nextCheckpoint"`
	// Source tells where the evidence is from: a fresh look, or the last checkpoint; LookedAt is when it was made.
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

// Seconds is a duration that programs read as a number of seconds.
type Seconds time.Duration

// MarshalJSON writes the seconds.
func (s Seconds) MarshalJSON() ([]byte, error) { return appendSeconds(time.Duration(s)), nil }

// Criterion is one success condition with its numbers. Those that count no requests have a verdict and a reason alone.
type Criterion struct {
	Name    string       `json:"name"`
	Verdict gate.Verdict `json:"verdict"`
	// N is the number of requests, K that of the bad ones; Lower and Upper bound their share.
	N        int64   `json:"n,omitempty"`
	K        int64   `json:"k,omitempty"`
	Lower    float64 `json:"lower,omitempty"`
	Upper    float64 `json:"upper,omitempty"`
	Target   float64 `json:"target,omitempty"`
	Rollback float64 `json:"rollback,omitempty"`
	Reason   string  `json:"reason,omitempty"`
}

// Alert is an alert that fires.
type Alert struct {
	Name     string `json:"name"`
	Severity string `json:"severity,omitempty"`
	Action   string `json:"action,omitempty"`
}

// Guard is the watcher in the cluster.
type Guard struct {
	// Wanted tells that the configuration asks for one.
	Wanted bool `json:"wanted"`
	Ready  int  `json:"ready"`
	// Leader is the one that acts; empty for nobody. Renewed is when it said so last.
	Leader  string    `json:"leader,omitempty"`
	Renewed time.Time `json:"renewed,omitzero"`
	DryRun  bool      `json:"dryRun,omitempty"`
}
