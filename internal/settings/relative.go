package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// What happens to a canary that is worse than stable.
const (
	// RelativeReview keeps it from advancing until a person decides.
	RelativeReview = "review"
	// RelativeRollback rolls it back.
	RelativeRollback = "rollback"
	// RelativeOff does not compare.
	RelativeOff = "off"
)

func (s *Settings) validateRelative(errs *problems) {
	c := s.Criteria
	if allowed := []string{RelativeReview, RelativeRollback, RelativeOff}; !slices.Contains(allowed, c.Relative) {
		errs.add("criteria.relative", c.Relative, errs.setPath("criteria.relative", RelativeReview), "allowed are %s",
			strings.Join(allowed, ", "))
	}
	if !(c.RelativeRatio >= 1 && c.RelativeRatio <= 100) {
		errs.add("criteria.relativeRatio", fmt.Sprint(c.RelativeRatio), errs.setPath("criteria.relativeRatio", "1.5"),
			"a multiple of stable's share of errors: allowed is 1 to 100")
	}
	if !(c.RelativeSlower > 1 && c.RelativeSlower <= 10) {
		errs.add("criteria.relativeSlower", fmt.Sprint(c.RelativeSlower), errs.setPath("criteria.relativeSlower", "1.1"),
			"a multiple of stable's latency: allowed is more than 1, up to 10")
	}
	for key, factor := range map[string]float64{"criteria.relativeCpu": c.RelativeCPU,
		"criteria.relativeMemory": c.RelativeMemory} {
		if factor != 0 && !(factor > 1 && factor <= 10) {
			errs.add(key, fmt.Sprint(factor), errs.setPath(key, "1.5"),
				"a multiple of what stable needs: allowed is more than 1, up to 10, or 0 for no comparison")
		}
	}
	if c.Slices < 0 || c.Slices > 1000 {
		errs.add("criteria.slices", strconv.Itoa(c.Slices), errs.setPath("criteria.slices", "200"), "allowed is 0 to 1000")
	}
	for i, label := range c.SliceLabels {
		key := fmt.Sprintf("criteria.sliceLabels[%d]", i)
		switch {
		case !promql.IsLabel(label):
			errs.add(key, label, errs.setPath(key, "path"), "no name of a label: allowed are %s",
				promql.AllowedInLabel)
		case label == s.Metrics.StatusLabel:
			errs.add(key, label, errs.setPath(key, "path"), "the label for the status makes no slices: all requests with a "+
				"bad status failed")
		}
	}
}
