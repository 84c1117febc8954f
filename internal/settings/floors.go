package settings

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Floors are the loosest limits by which a release may go up. Limits that a canary passes by, and that are looser than
// these, hold every upward move back: what nothing is asked of passes whatever it does. The way down needs none.
type Floors struct {
	// Soak and Bake are the shortest watches.
	Soak model.Duration `json:"soak"`
	Bake model.Duration `json:"bake"`
	// ErrorRate, RollbackErrorRate and SlowShare are the highest limits, as shares, 0 to 1.
	ErrorRate         float64 `json:"errorRate"`
	RollbackErrorRate float64 `json:"rollbackErrorRate"`
	SlowShare         float64 `json:"slowShare"`
	// Latency is the highest limit of the latency. A latency that is off is no limit that only looks like one.
	Latency Latency `json:"latency"`
	// Confidence is the lowest confidence of a pass, 0.5 to 1.
	Confidence float64 `json:"confidence"`
	// Relative is the loosest answer to a canary that is worse than stable: rollback, review or off. RelativeRatio and
	// RelativeSlower are how much worse it may be at most.
	Relative       string  `json:"relative"`
	RelativeRatio  float64 `json:"relativeRatio"`
	RelativeSlower float64 `json:"relativeSlower"`
	// Reason is why the floors are lower than the defaults. The ledger keeps it.
	Reason string `json:"reason"`
}

// defaultFloors allow what a service of little traffic needs, and no limit that only looks like one.
func defaultFloors() Floors {
	return Floors{
		Soak: model.Duration(24 * time.Hour), Bake: model.Duration(time.Minute),
		ErrorRate: 0.05, RollbackErrorRate: 0.1, SlowShare: 0.25, Latency: Latency(10 * time.Second), Confidence: 0.8,
		Relative: RelativeReview, RelativeRatio: 5, RelativeSlower: 2,
	}
}

// LooseLimit is a limit that is looser than its floor.
type LooseLimit struct {
	// Key is that of the limit, Floor that of its floor.
	Key, Floor string
	// Given is the limit, Allowed the floor.
	Given, Allowed string
	// Lower tells that the limit is lower than its floor; otherwise it is higher.
	Lower bool
	// Passes tells that a canary passes by the limit. By the rollback limit it only leaves.
	Passes bool
}

// String is the limit for people.
func (l LooseLimit) String() string {
	bound := "at most"
	if l.Lower {
		bound = "at least"
	}
	return fmt.Sprintf("%s is %s, and %s %s is allowed", l.Key, l.Given, bound, l.Allowed)
}

// LooseLimits are the limits that are looser than their floors. Those that a canary passes by hold every upward move
// back; the policy pack refuses all.
func (s *Settings) LooseLimits() []LooseLimit {
	given := Floors{
		Soak: s.Soak.Duration, Bake: s.Bake.Duration, ErrorRate: s.Criteria.ErrorRate,
		RollbackErrorRate: s.Criteria.RollbackErrorRate, SlowShare: s.Criteria.SlowShare,
		Latency: s.Criteria.Latency, Confidence: s.Criteria.Confidence, Relative: s.Criteria.Relative,
		RelativeRatio: s.Criteria.RelativeRatio, RelativeSlower: s.Criteria.RelativeSlower,
	}
	return given.looserThan(s.Floors, map[string]string{
		"soak": "soak.duration", "bake": "bake.duration", "errorRate": "criteria.errorRate",
		"rollbackErrorRate": "criteria.rollbackErrorRate", "slowShare": "criteria.slowShare",
		"latency": "criteria.latency", "confidence": "criteria.confidence", "relative": "criteria.relative",
		"relativeRatio": "criteria.relativeRatio", "relativeSlower": "criteria.relativeSlower",
	})
}

// LoweredFloors says why the floors are lower than the defaults, and is empty where they are not.
func (s *Settings) LoweredFloors() string {
	if len(s.Floors.looserThan(defaultFloors(), nil)) == 0 {
		return ""
	}
	return s.Floors.Reason
}

// UnreasonedFloors are floors that are lower than the defaults without a reason, for people.
func (s *Settings) UnreasonedFloors() []string {
	if strings.TrimSpace(s.Floors.Reason) != "" {
		return nil
	}
	var list []string
	for _, lowered := range s.Floors.looserThan(defaultFloors(), nil) {
		list = append(list, lowered.String()+" without floors.reason")
	}
	return list
}

// looserThan lists the values that are looser than the floors. The keys are those of the values by the floors' names;
// without one a value has the key of its floor.
func (f Floors) looserThan(floors Floors, keys map[string]string) []LooseLimit {
	var loose []LooseLimit
	add := func(name string, is bool, given, allowed string, lower bool) {
		if !is {
			return
		}
		key := "floors." + name
		limit := LooseLimit{Key: key, Floor: key, Given: given, Allowed: allowed, Lower: lower,
			Passes: name != "rollbackErrorRate"}
		if keys[name] != "" {
			limit.Key = keys[name]
		}
		loose = append(loose, limit)
	}
	add("soak", f.Soak < floors.Soak, f.Soak.String(), floors.Soak.String(), true)
	add("bake", f.Bake < floors.Bake, f.Bake.String(), floors.Bake.String(), true)
	share := func(name string, given, allowed float64) {
		add(name, given > allowed, fmt.Sprint(given), fmt.Sprint(allowed), false)
	}
	share("errorRate", f.ErrorRate, floors.ErrorRate)
	share("rollbackErrorRate", f.RollbackErrorRate, floors.RollbackErrorRate)
	share("slowShare", f.SlowShare, floors.SlowShare)
	add("latency", f.Latency > floors.Latency, f.Latency.String(), floors.Latency.String(), false)
	add("confidence", f.Confidence < floors.Confidence, fmt.Sprint(f.Confidence), fmt.Sprint(floors.Confidence), true)
	add("relative", strictness(f.Relative) < strictness(floors.Relative), f.Relative, floors.Relative, true)
	if f.Relative != RelativeOff {
		share("relativeRatio", f.RelativeRatio, floors.RelativeRatio)
		share("relativeSlower", f.RelativeSlower, floors.RelativeSlower)
	}
	return loose
}

// strictness orders the answers to a canary that is worse than stable.
func strictness(answer string) int {
	return slices.Index([]string{RelativeOff, RelativeReview, RelativeRollback}, answer)
}

func (s *Settings) validateFloors(errs *problems) {
	if s.Floors.Soak < 0 || s.Floors.Bake < 0 {
		errs.add("floors", "", errs.remove("floors"), "soak and bake are times of at least 0s")
	}
	for key, share := range map[string]float64{
		"floors.errorRate": s.Floors.ErrorRate, "floors.rollbackErrorRate": s.Floors.RollbackErrorRate,
		"floors.slowShare": s.Floors.SlowShare, "floors.confidence": s.Floors.Confidence,
	} {
		if !(share > 0 && share <= 1) {
			errs.add(key, fmt.Sprint(share), errs.remove("floors"), "allowed is more than 0 and at most 1")
		}
	}
	if s.Floors.Latency <= 0 {
		errs.add("floors.latency", s.Floors.Latency.String(), errs.remove("floors"), "allowed is a duration of more than 0s")
	}
	if strictness(s.Floors.Relative) < 0 {
		errs.add("floors.relative", s.Floors.Relative, errs.remove("floors"), "allowed are %s, %s, %s", RelativeReview,
			RelativeRollback, RelativeOff)
	}
	if !(s.Floors.RelativeRatio >= 1 && s.Floors.RelativeSlower > 1) {
		errs.add("floors", "", errs.remove("floors"), "relativeRatio is at least 1, and relativeSlower more than 1")
	}
	if lowered := s.UnreasonedFloors(); len(lowered) > 0 {
		errs.add("floors.reason", "", errs.setPath("floors.reason", "WHY"), "missing; %s",
			strings.Join(lowered, ", "))
	}
}
