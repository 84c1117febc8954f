package gate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/sanitize"
)

// Result is a criterion's verdict with the numbers behind it.
type Result struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	// N is the number of requests and K the number of bad ones among them. Rate is K/N, and 0 without requests.
	N    int64   `json:"n"`
	K    int64   `json:"k"`
	Rate float64 `json:"rate"`
	// Lower is the lower bound of the share. It holds at all looks simultaneously with Confidence.
	Lower      float64 `json:"lower"`
	Confidence float64 `json:"confidence"`
	// Upper is the upper bound of the share. It holds at all looks simultaneously with PassConfidence.
	Upper          float64 `json:"upper"`
	PassConfidence float64 `json:"passConfidence"`
	// Maybe is the number of requests that may be bad beside the K that are: see [Counts.Maybe].
	Maybe int64 `json:"maybe,omitempty"`
	// Notes are about series and scrapes that are not counted.
	Notes []string `json:"notes,omitempty"`
	// More is the number of further requests at the current share that would decide, or [Never].
	More int64 `json:"more"`
	// Undecided means that a bake's share is not below the target and not shown to be above it: too few requests to tell.
	Undecided bool `json:"undecided,omitempty"`
	// Stable are the stable track's counts over the same time; nil without a comparison.
	Stable *Counts `json:"stable,omitempty"`
	// Shared means that the stable track is as bad, so that the canary is not blamed.
	Shared bool `json:"shared,omitempty"`
	// Review means that the release is shown to be worse than stable, though below its limits: only a person can decide,
	// and no further request.
	Review bool `json:"review,omitempty"`
	// IntervalLower and IntervalUpper are the exact interval of this look alone, with IntervalConfidence.
	IntervalLower      float64 `json:"intervalLower"`
	IntervalUpper      float64 `json:"intervalUpper"`
	IntervalConfidence float64 `json:"intervalConfidence"`
	// Target and Rollback are the criterion's limits, as shares. MinRequests is the number of requests that a pass needs.
	Target      float64 `json:"target"`
	Rollback    float64 `json:"rollback"`
	MinRequests int64   `json:"minRequests"`
	// Reason is one sentence with the numbers.
	Reason string `json:"reason"`
	// Query is the query to Prometheus; empty without one.
	Query string `json:"query,omitempty"`
}

// is adds a verdict and its reason to a copy of the result.
func (r Result) is(v Verdict, reason string, args ...any) Result {
	r.Verdict, r.Reason = v, sanitize.Text(fmt.Sprintf(reason, args...))
	return r
}

// LacksRequests reports whether the result is inconclusive only for lack of requests.
func (r Result) LacksRequests() bool { return r.Verdict == Inconclusive && r.N < r.MinRequests }

// Window is the judged time: after Start and up to End.
type Window struct {
	Start, End time.Time
	// Except are times in which others than customers sent requests, such as the smoke suite. The requests between two
	// scrapes of a process do not count when that time overlaps one of them; clocks may differ by [clockSkew].
	Except []Window
	// block is the length of the blocks of time that are counted apart; 0 for none.
	block time.Duration
}

// blockOf is the number of the block that a time after the start belongs to. A block has its end and not its start.
func (w Window) blockOf(at time.Time) int { return int((at.Sub(w.Start) - 1) / w.block) }

// counts reports whether the requests between two scrapes of a process count.
func (w Window) counts(from, to model.Time) bool {
	return to.Time().After(w.Start) && !slices.ContainsFunc(w.Except, func(except Window) bool {
		return from.Time().Before(except.End.Add(clockSkew)) && to.Time().After(except.Start.Add(-clockSkew))
	})
}

func (w Window) length() time.Duration { return w.End.Sub(w.Start) }

// Evaluation is the outcome of one look at all criteria.
type Evaluation struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Results []Result  `json:"results"`
}

// Verdict is the worst verdict of the results; see [Worst].
func (e Evaluation) Verdict() Verdict {
	verdicts := make([]Verdict, len(e.Results))
	for i, r := range e.Results {
		verdicts[i] = r.Verdict
	}
	return Worst(verdicts...)
}

// Reasons joins the reasons of all results with the verdict.
func (e Evaluation) Reasons(verdict Verdict) string {
	var texts []string
	for _, result := range e.Results {
		if result.Verdict == verdict {
			texts = append(texts, result.Name+": "+result.Reason)
		}
	}
	if len(texts) == 0 {
		return "there is no criterion"
	}
	return strings.Join(texts, "; ")
}

// LacksRequests reports whether the evaluation is inconclusive for lack of requests alone, so that waiting helps.
func (e Evaluation) LacksRequests() bool {
	for _, r := range e.Results {
		if r.Verdict != Pass && !r.LacksRequests() {
			return false
		}
	}
	return e.Verdict() == Inconclusive && len(e.Results) > 0
}

// isOpen reports whether the evaluation is inconclusive only because of results that more requests may decide.
func (e Evaluation) isOpen() bool {
	for _, r := range e.Results {
		if r.Verdict != Pass && !r.LacksRequests() && !r.Undecided {
			return false
		}
	}
	return e.Verdict() == Inconclusive && len(e.Results) > 0
}

// settled is the evaluation at the end of a bake, when what is still undecided passes: nothing is shown against the
// release, and a proof for it is the soak's part.
func (e Evaluation) settled() Evaluation {
	e.Results = slices.Clone(e.Results)
	for i, r := range e.Results {
		if r.Undecided {
			e.Results[i] = r.is(Pass, "%s: the bake has nothing against the release, and the soak has to prove it", r.Reason)
		}
	}
	return e
}

// String is the evaluation as a table for people, followed by the reason of every result, and by the query of every
// result that did not pass.
func (e Evaluation) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "gate: %s after %s\n", e.Verdict(), e.End.Sub(e.Start).Round(time.Second))
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CRITERION\tVERDICT\tBAD\tREQUESTS\tRATE\tINTERVAL\tTARGET\tROLLBACK\tLOWER BOUND\tUPPER BOUND")
	for _, r := range e.Results {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Name, r.Verdict, r.numbers())
	}
	// The writer below is a strings.Builder: flushing cannot fail.
	_ = table.Flush()
	for _, r := range e.Results {
		fmt.Fprintf(&out, "%s: %s\n", r.Name, r.Reason)
		for _, note := range r.Notes {
			fmt.Fprintf(&out, "  note: %s\n", sanitize.Text(note))
		}
		if r.Verdict != Pass && r.Query != "" {
			fmt.Fprintf(&out, "  query: %s\n", r.Query)
		}
	}
	return out.String()
}

// counts reports whether the result rests on counted requests. Other conditions have no target.
func (r Result) counts() bool { return r.Target > 0 }

func (r Result) numbers() string {
	if !r.counts() {
		return strings.Repeat("-\t", 7) + "-"
	}
	if r.Verdict == Error {
		return fmt.Sprintf("-\t-\t-\t-\t%s\t%s\t-\t-", percent(r.Target), percent(r.Rollback))
	}
	rollback := percent(r.Rollback)
	if r.Rollback >= 1 {
		rollback = "none"
	}
	return fmt.Sprintf("%d\t%d\t%s\t%s to %s\t%s\t%s\t%s\t%s", r.K, r.N, percent(r.Rate), percent(r.IntervalLower),
		percent(r.IntervalUpper), percent(r.Target), rollback, percent(r.Lower), percent(r.Upper))
}

// MarshalJSON adds the verdict to the fields.
func (e Evaluation) MarshalJSON() ([]byte, error) {
	type fields Evaluation
	return json.Marshal(struct {
		Verdict Verdict `json:"verdict"`
		fields
	}{e.Verdict(), fields(e)})
}
