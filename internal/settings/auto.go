package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ways in which the stages of a stack follow each other.
const (
	// AdvanceManual leaves every stage to a person.
	AdvanceManual = "manual"
	// AdvanceAuto lets `rollout advance --when-ready` go on to the next stage as soon as the advance gate allows it.
	AdvanceAuto = "auto"
)

// Advance says whether the stages follow each other by themselves, and which of them a person must approve.
type Advance struct {
	// Mode is AdvanceManual or AdvanceAuto.
	Mode string `json:"mode"`
	// Approval are the weights of the stages, in percent, that a person must approve before they are entered, by
	// whatever way. 0 stands for the finish, which takes the canary's weight back to 0.
	Approval []int `json:"approval"`
}

// FinishApproval is the weight that stands for the finish among those of approvals.
const FinishApproval = 0

// expand lets the mode alone stand for the object, as in `advance: auto`.
func (Advance) expand(raw string) string {
	word := strings.TrimSpace(raw)
	if word == "" || strings.ContainsAny(word[:1], `{["`) {
		return raw
	}
	encoded, err := json.Marshal(map[string]string{"mode": word})
	if err != nil {
		return raw
	}
	return string(encoded)
}

// IsAuto reports whether the stages follow each other by themselves.
func (s *Settings) IsAuto() bool { return s.Advance.Mode == AdvanceAuto }

// validateAuto checks who advances the stack.
func (s *Settings) validateAuto(errs *problems) {
	modes := []string{AdvanceManual, AdvanceAuto}
	if !slices.Contains(modes, s.Advance.Mode) {
		suggested := nearest(s.Advance.Mode, modes)
		if suggested == "" {
			suggested = AdvanceAuto
		}
		errs.add("advance.mode", s.Advance.Mode, errs.set("advance", suggested), "allowed are %s",
			strings.Join(modes, " and "))
	}
	if s.IsSingle() {
		if s.Advance.Mode != AdvanceManual || len(s.Advance.Approval) > 0 {
			errs.add("advance", "", errs.remove("advance"), "a stack with strategy %q has no stages to advance to",
				StrategySingle)
		}
		return
	}
	for i, weight := range s.Advance.Approval {
		if weight != FinishApproval && !slices.Contains(s.Stages, weight) {
			path := fmt.Sprintf("advance.approval[%d]", i)
			errs.add(path, strconv.Itoa(weight), errs.setPath("'"+path+"'", strconv.Itoa(s.Stages.Next(weight-1))),
				"no stage has this weight; allowed are %s, and 0 for the finish", s.Stages)
		}
	}
}
