package relative

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// PodLabel is the label of the slices of single pods.
const PodLabel = "pod"

// Counter turns the rises of a request counter into counts.
type Counter struct {
	status model.LabelName
	bad    *regexp.Regexp
	labels []string
	slices bool
}

// NewCounter counts by a label for the status and an expression for a bad one, which is anchored at both ends.
func NewCounter(statusLabel, pattern string, limits Limits) (*Counter, error) {
	bad, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("error pattern %q: %w", pattern, err)
	}
	return &Counter{status: model.LabelName(statusLabel), bad: bad, labels: limits.Labels, slices: limits.Slices > 0}, nil
}

// Count counts a block. Series without the label for the status do not count.
func (c *Counter) Count(block gate.Block) (canary, stable gate.Counts, parts Parts) {
	parts = Parts{}
	c.each(block.Stable, func(_ gate.Rise, counts gate.Counts) { stable = stable.Plus(counts) })
	c.each(block.Canary, func(rise gate.Rise, counts gate.Counts) {
		canary = canary.Plus(counts)
		for _, slice := range c.of(rise, true) {
			p := parts[slice]
			p.Canary = p.Canary.Plus(counts)
			parts[slice] = p
		}
	})
	c.each(block.Stable, func(rise gate.Rise, counts gate.Counts) {
		for _, slice := range c.of(rise, false) {
			p := parts[slice]
			p.Stable = p.Stable.Plus(counts)
			parts[slice] = p
		}
	})
	for slice, p := range parts {
		if slice.Label == PodLabel {
			p.Stable = stable
			parts[slice] = p
		}
	}
	return canary, stable, parts
}

func (c *Counter) each(rises []gate.Rise, visit func(gate.Rise, gate.Counts)) {
	for _, rise := range rises {
		status, ok := rise.Labels[c.status]
		if !ok {
			continue
		}
		counts := gate.Counts{N: rise.By}
		if c.bad.MatchString(string(status)) {
			counts.K = rise.By
		}
		visit(rise, counts)
	}
}

// of are the slices that a series belongs to.
func (c *Counter) of(rise gate.Rise, canary bool) []Slice {
	if !c.slices {
		return nil
	}
	var list []Slice
	if canary && rise.Pod != "" {
		list = append(list, Slice{PodLabel, rise.Pod})
	}
	for name, value := range rise.Labels {
		wanted := slices.Contains(c.labels, string(name))
		if len(c.labels) == 0 {
			wanted = name != c.status && !gate.IsScrapeLabel(string(name))
		}
		if wanted && value != "" {
			list = append(list, Slice{string(name), string(value)})
		}
	}
	return list
}
