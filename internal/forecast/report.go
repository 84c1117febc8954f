package forecast

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// String is the forecast as text for people.
func (f Forecast) String() string {
	var out strings.Builder
	name := "release"
	if f.Stack != "" {
		name = "release of stack " + f.Stack
	}
	fmt.Fprintf(&out, "%s from %s on: %d simulated, seed %d\n", name, stamp(f.Start), f.Runs, f.Seed)
	fmt.Fprintf(&out, "traffic: %s; mean %s requests/s, busiest hour %s; %s fail, %s are slow\n", f.Traffic.Source,
		digits(f.Traffic.Mean.Rate), digits(f.Traffic.Busiest), percent(f.Traffic.Mean.Errors),
		percent(f.Traffic.Mean.Slow))
	for _, note := range f.Traffic.Notes {
		fmt.Fprintf(&out, "note: %s\n", note)
	}
	fmt.Fprintf(&out, "done: 50 %% by %s, 90 %% by %s\n", f.by(f.Half), f.by(f.Most))
	fmt.Fprintf(&out, "false rollback: %s\n", f.RolledBack.text(f.Runs))
	if f.Undecided.Runs > 0 {
		fmt.Fprintf(&out, "undecided after all extensions: %s\n", f.Undecided.text(f.Runs))
	}
	out.WriteString("\n" + f.stages() + "\n" + f.bad())
	fmt.Fprintf(&out, "\ntakes: at most %d pods and %s CPU beside the service's own, %s pod-hours and "+
		"%s CPU-hours in all\n",
		f.Cost.Pods, digits(f.Cost.CPU), digits(f.Cost.PodHours), digits(f.Cost.CPUHours))
	if f.Budget != nil {
		out.WriteString("\n" + f.Budget.String())
	}
	return out.String()
}

// by is a time with its distance from the start.
func (f Forecast) by(at *time.Time) string {
	if at == nil {
		return "no date (too few runs are done)"
	}
	return fmt.Sprintf("%s (%s)", stamp(*at), length(at.Sub(f.Start)))
}

func (c Chance) text(runs int) string {
	return fmt.Sprintf("%d of %d, with 95 %% confidence at most %s", c.Runs, runs, percent(c.Upper))
}

// stages is the table of the stages. The requests are those of the criterion that lacks most.
func (f Forecast) stages() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STAGE\tCANARY\tSTABLE\tCPU\tREQUESTS\tNEEDED\tMISSING\tLASTS\tEXTENDED\tPASSED 50 %\tPASSED 90 %")
	for _, stage := range f.Stages {
		need := scarcest(stage.Needs)
		fmt.Fprintf(table, "%d %%\t%d\t%d\t%s\t%s\t%s\t%d\t%s\t%d of %d\t%s\t%s\n", stage.Weight, stage.Canary, stage.Stable,
			digits(stage.CPU), digits(need.Soak), count(max(need.Usual, need.Clean)), need.Missing, length(stage.Lasts),
			stage.Extended, f.Runs, date(stage.Half), date(stage.Most))
	}
	// The writer below is a strings.Builder: flushing cannot fail.
	_ = table.Flush()
	return out.String()
}

// scarcest is the need of the criterion that needs the most requests.
func scarcest(needs []Need) Need {
	var most Need
	for i, need := range needs {
		if i == 0 || max(need.Usual, need.Clean) > max(most.Usual, most.Clean) {
			most = need
		}
	}
	return most
}

func count(n int64) string {
	if n == gate.Never {
		return "never"
	}
	return fmt.Sprint(n)
}

func date(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return stamp(*at)
}

func (f Forecast) bad() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BAD RELEASE\tROLLED BACK\tMEDIAN AFTER\tFAILED ANSWERS\tAT WORST")
	for _, bad := range f.Bad {
		after := "-"
		if bad.RolledBack > 0 {
			after = length(bad.After)
		}
		fmt.Fprintf(table, "%s fail\t%d of %d\t%s\t%s\t%d\n", percent(bad.Share), bad.RolledBack, bad.Runs, after,
			digits(bad.Expected), bad.Worst)
	}
	_ = table.Flush()
	return out.String()
}

// String is the answer to the budget for people.
func (b Budget) String() string {
	has := fmt.Sprintf("budget of %d failed answers", b.Most)
	costs := fmt.Sprintf("a release of which %s fail costs up to %d", percent(b.Share), b.Worst)
	switch {
	case b.Kept:
		return fmt.Sprintf("%s: kept, %s\n", has, costs)
	case len(b.Stages) == 0:
		return fmt.Sprintf("%s: not kept, %s; no stages keep it: the least is %d, with a first stage of %d %%. The guard "+
			"needs these answers for its proof: a lower criteria.rollbackErrorRate or guard.confidence needs fewer, and in "+
			"traffic: gateway a first stage can be smaller than a pod's share\n", has, costs, b.Least, b.LeastWeight)
	case b.Proposed == nil:
		return fmt.Sprintf("%s: not kept, %s; stages %s keep it with up to %d, but %s\n", has, costs, b.Stages, b.Least,
			b.Undecided)
	default:
		return fmt.Sprintf("%s: not kept, %s; stages %s keep it with up to %d, done: 50 %% by %s, 90 %% by %s\n  %s\n", has,
			costs, b.Stages, b.Least, b.Proposed.by(b.Proposed.Half), b.Proposed.by(b.Proposed.Most), b.Command)
	}
}
