package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Terms are what a verdict or a shift was judged by, as the configuration had it at that moment: limits that were
// loosened for one stage are seen in the entries of that stage.
type Terms struct {
	// Soak is the required watch of a stage, Extension what an inconclusive end adds, Bake the short watch after a shift;
	// all in seconds. The guard knows no bake.
	Soak      int64 `json:"soak"`
	Extension int64 `json:"extension"`
	Bake      int64 `json:"bake,omitempty"`
	// Limits are those of the criteria.
	Limits []Limit `json:"limits,omitempty"`
	// Series says which series are counted, and which of them as errors. Checkpoints leave it out.
	Series string `json:"series,omitempty"`
	// Floors is the reason why the floors of the limits are lower than the defaults; empty where they are not.
	Floors string `json:"floors,omitempty"`
}

// Limit is what one criterion asks for.
type Limit struct {
	Name string `json:"name"`
	// Target is the share, 0 to 1, below which it passes, or the limit of a query of the stack's own.
	Target float64 `json:"target"`
	// Rollback is the share, 0 to 1, above which it rolls back; 1 never does. It is 0 for a query, which has none.
	Rollback float64 `json:"rollback,omitempty"`
	// Direction is the side of the limit that a query must stay on: below or above.
	Direction string `json:"direction,omitempty"`
	// Bound is the latency above which a request is slow, in milliseconds; 0 for other criteria.
	Bound int64 `json:"bound,omitempty"`
	// Confidence is that of a pass, Requests how many requests a pass needs; 0 in entries of older versions.
	Confidence float64 `json:"confidence,omitempty"`
	Requests   int64   `json:"requests,omitempty"`
	// Query is that of a query.
	Query string `json:"query,omitempty"`
}

// String is the terms in one line for people.
func (t Terms) String() string {
	parts := []string{"soak " + seconds(t.Soak)}
	if t.Bake > 0 {
		parts = append(parts, "bake "+seconds(t.Bake))
	}
	for _, limit := range t.Limits {
		parts = append(parts, limit.String())
	}
	return strings.Join(parts, ", ")
}

// String is the limit in one line for people.
func (l Limit) String() string {
	if l.Direction != "" {
		return fmt.Sprintf("%s %s %s", l.Name, l.Direction, short(l.Target))
	}
	text := fmt.Sprintf("%s below %s %%", l.Name, short(100*l.Target))
	if l.Rollback > 0 && l.Rollback < 1 {
		text += fmt.Sprintf(" and rolled back above %s %%", short(100*l.Rollback))
	}
	return text
}

// short prints a number without the noise of its binary form.
func short(number float64) string { return strconv.FormatFloat(number, 'g', 6, 64) }

// seconds prints a time of whole seconds without its empty units: 48h, 10m.
func seconds(count int64) string {
	text := (time.Duration(count) * time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (t *Terms) cleaned() *Terms {
	if t == nil {
		return nil
	}
	copied := *t
	copied.Series, copied.Floors = clean(t.Series), clean(t.Floors)
	copied.Limits = append([]Limit(nil), t.Limits...)
	for i := range copied.Limits {
		limit := &copied.Limits[i]
		limit.Name, limit.Direction, limit.Query = clean(limit.Name), clean(limit.Direction), clean(limit.Query)
	}
	return &copied
}
