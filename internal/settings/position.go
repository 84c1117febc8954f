package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// mostReplicas is the most pods that a track may have.
const mostReplicas = 1000

// validatePosition turns week and weight into the target position.
func (s *Settings) validatePosition(errs *problems) {
	if s.Replicas < 1 || s.Replicas > mostReplicas {
		errs.add("replicas", strconv.Itoa(s.Replicas), errs.set("replicas", "10"), "allowed are 1 to %d", mostReplicas)
		return
	}
	if !s.IsGateway() && (s.WarmStable < 0 || s.WarmStable > s.Replicas) {
		errs.add("warmStable", strconv.Itoa(s.WarmStable), errs.set("warmStable",
			strconv.Itoa(min(2, s.Replicas))), "allowed are 0 to replicas, which is %d", s.Replicas)
	}
	if s.IsSingle() {
		if s.CanaryWeight.Set {
			errs.add("canaryWeight", strconv.Itoa(s.CanaryWeight.Percent), errs.remove("canaryWeight"),
				"a stack with strategy %q has no canary", StrategySingle)
		}
		s.position, _ = plan.Single(s.Replicas)
		return
	}
	if err := s.Stages.Validate(); err != nil {
		errs.add("stages", "", errs.remove("stages"), "%s", err)
		return
	}
	weight, err := s.Stages.Weight(s.Week)
	if err != nil {
		errs.add("week", strconv.Itoa(s.Week), errs.set("week", "1"), "%s", err)
		return
	}
	key, given := "week", s.Week
	if s.CanaryWeight.Set {
		key, given, weight = "canaryWeight", s.CanaryWeight.Percent, s.CanaryWeight.Percent
	}
	if s.IsGateway() {
		// Only a weight or a count that is reported elsewhere can be wrong here.
		s.position, _ = s.weigh(weight)
		return
	}
	s.position, err = plan.Split(s.Week, weight, s.Replicas, s.WarmStable)
	if err != nil {
		if key == "week" {
			s.refuseCount(errs, err)
			return
		}
		lower, upper := plan.NearestWeights(weight, s.Replicas)
		errs.add(key, strconv.Itoa(given), fmt.Sprintf("%s, or %d", errs.set(key, strconv.Itoa(lower)), upper), "%s", err)
	}
}

// refuseCount says which stages the pods can express, and how many pods the stages need.
func (s *Settings) refuseCount(errs *problems, err error) {
	needed := s.Stages.Pods()
	fixes := []string{errs.set("replicas", strconv.Itoa((s.Replicas/needed+1)*needed))}
	advice := ""
	fitting := s.Stages.Fitting(s.Replicas)
	if fewer := plan.Expressible(s.Replicas); fitting == nil && len(fewer) > 1 && s.Week <= len(fewer) {
		fitting = fewer
	}
	if fitting != nil {
		advice = fmt.Sprintf("with %d pods, stages can be %s; ", s.Replicas, fitting)
		encoded := strings.ReplaceAll(fitting.String(), " ", "")
		fixes = append(fixes, errs.set("stages", "'["+encoded+"]'"))
	}
	errs.add("week", strconv.Itoa(s.Week), strings.Join(fixes, ", or "), "%s. %sthe stages %s need a multiple of %d pods",
		err, advice, s.Stages, needed)
}

// HeldBack says that canaryWeight keeps the canary below the weight of the week, because a week that was set to advance
// has no effect then. It is empty when it does not.
func (s *Settings) HeldBack() string {
	planned, err := s.Stages.Weight(s.Week)
	if err != nil || s.IsSingle() || !s.CanaryWeight.Set || s.CanaryWeight.Percent >= planned {
		return ""
	}
	return fmt.Sprintf("canaryWeight is %d and overrides the %d %% of week %d: to follow the week, %s",
		s.CanaryWeight.Percent, planned, s.Week, commands{s.stack}.remove("canaryWeight"))
}

// validateAdvance checks what the advance gate goes by.
func (s *Settings) validateAdvance(errs *problems) {
	s.validateLatch(errs)
	if s.IsSingle() {
		if s.Express.Reason != "" {
			errs.add("express.reason", s.Express.Reason, errs.remove("express"),
				"a stack with strategy %q has one track, and every update carries its configuration at once", StrategySingle)
		}
		return
	}
	soak := plan.Soak{Duration: time.Duration(s.Soak.Duration), Extension: time.Duration(s.Soak.Extension)}
	if err := soak.Validate(); err != nil {
		errs.add("soak", "", errs.setPath("soak.duration", "48h"), "%s", err)
	}
	if s.Staging.Required && s.Staging.Stack == "" {
		errs.add("staging.stack", "", errs.setPath("staging.stack", "staging"),
			"missing; it names the stack that verifies an image before it becomes a canary. To do without: %s",
			errs.setPath("staging.required", "false"))
	}
	if s.Override.Weight.Set && strings.TrimSpace(s.Override.Reason) == "" {
		errs.add("override.reason", "", errs.setPath("override.reason", "WHY"),
			"missing; the gate is overridden with a reason only")
	}
	s.validateOwnCriteria(errs)
}

func (s *Settings) validateLatch(errs *problems) {
	if s.Latch.Release < 0 {
		errs.add("latch.release", strconv.Itoa(s.Latch.Release), errs.remove("latch"),
			"the number of an entry of the ledger is needed")
	}
	if s.Latch.Release > 0 && strings.TrimSpace(s.Latch.Reason) == "" {
		errs.add("latch.reason", "", errs.setPath("latch.reason", "WHY"), "missing; a latch is released with a reason only")
	}
}
