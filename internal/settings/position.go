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
func (s *Settings) validatePosition(found *problems) {
	if s.Replicas < 1 || s.Replicas > mostReplicas {
		found.add("replicas", strconv.Itoa(s.Replicas), set("replicas", "10"), "allowed are 1 to %d", mostReplicas)
		return
	}
	if !s.IsGateway() && (s.WarmStable < 0 || s.WarmStable > s.Replicas) {
		found.add("warmStable", strconv.Itoa(s.WarmStable), set("warmStable", "2"), "allowed are 0 to replicas, which is %d",
			s.Replicas)
	}
	if s.IsSingle() {
		if s.CanaryWeight.Set {
			found.add("canaryWeight", strconv.Itoa(s.CanaryWeight.Percent), "pulumi config rm canaryWeight",
				"a stack with strategy %q has no canary", StrategySingle)
		}
		s.position, _ = plan.Single(s.Replicas)
		return
	}
	if err := s.Stages.Validate(); err != nil {
		found.add("stages", "", "pulumi config rm stages", "%s", err)
		return
	}
	weight, err := s.Stages.Weight(s.Week)
	if err != nil {
		found.add("week", strconv.Itoa(s.Week), set("week", "1"), "%s", err)
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
		lower, upper := plan.NearestWeights(weight, s.Replicas)
		found.add(key, strconv.Itoa(given),
			fmt.Sprintf("%s, or %d", set("canaryWeight", strconv.Itoa(lower)), upper), "%s", err)
	}
}

// HeldBack says that canaryWeight keeps the canary below the weight of the week, so that a week which was set to
// advance does not look as if nothing happened; empty when it does not.
func (s *Settings) HeldBack() string {
	planned, err := s.Stages.Weight(s.Week)
	if err != nil || s.IsSingle() || !s.CanaryWeight.Set || s.CanaryWeight.Percent >= planned {
		return ""
	}
	return fmt.Sprintf("canaryWeight is %d and counts, not the %d %% of week %d: to go by the week, pulumi config rm "+
		"canaryWeight",
		s.CanaryWeight.Percent, planned, s.Week)
}

// validateAdvance checks what the advance gate goes by.
func (s *Settings) validateAdvance(found *problems) {
	if s.IsSingle() {
		return
	}
	soak := plan.Soak{Duration: time.Duration(s.Soak.Duration), Extension: time.Duration(s.Soak.Extension)}
	if err := soak.Validate(); err != nil {
		found.add("soak", "", setPath("soak.duration", "48h"), "%s", err)
	}
	if s.Staging.Required && s.Staging.Stack == "" {
		found.add("staging.stack", "", setPath("staging.stack", "staging"),
			"missing; it names the stack that verifies an image before it becomes a canary. To do without: %s",
			setPath("staging.required", "false"))
	}
	if s.Latch.Release < 0 {
		found.add("latch.release", strconv.Itoa(s.Latch.Release), "pulumi config rm latch",
			"the number of an entry of the ledger is needed")
	}
	if s.Latch.Release > 0 && strings.TrimSpace(s.Latch.Reason) == "" {
		found.add("latch.reason", "", setPath("latch.reason", "WHY"), "missing; a latch is released with a reason only")
	}
	if s.Override.Weight.Set && strings.TrimSpace(s.Override.Reason) == "" {
		found.add("override.reason", "", setPath("override.reason", "WHY"),
			"missing; the gate is overridden with a reason only")
	}
	s.validateOwnCriteria(found)
}

func (s *Settings) validateOwnCriteria(found *problems) {
	for i, own := range s.Criteria.Own {
		key := fmt.Sprintf("criteria.own[%d]", i)
		if own.Name == "" || own.Query == "" {
			found.add(key, own.Name, "", "name and query are required")
		}
		if own.Direction != "below" && own.Direction != "above" {
			found.add(key+".direction", own.Direction, setPath(key+".direction", "below"), "allowed are below, above")
		}
	}
}
