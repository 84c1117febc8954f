package forecast

import (
	"fmt"
	"strings"
)

// BriefPrefix begins the brief form of a forecast, by which it is found among other messages.
const BriefPrefix = "forecast: "

// Brief is the forecast in a few lines, for a preview and the comment on a pull request.
func (f Forecast) Brief() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%sdone 50 %% by %s, 90 %% by %s; false rollback: %s\n", BriefPrefix, f.by(f.Half), f.by(f.Most),
		f.RolledBack.text(f.Runs))
	if f.Undecided.Runs > 0 {
		fmt.Fprintf(&out, "undecided after all extensions: %s\n", f.Undecided.text(f.Runs))
	}
	var lacking []string
	for _, stage := range f.Stages {
		if need := scarcest(stage.Needs); need.Missing > 0 {
			lacking = append(lacking, fmt.Sprintf("%d at %d %%", need.Missing, stage.Weight))
		}
	}
	if len(lacking) == 0 {
		lacking = []string{"none"}
	}
	fmt.Fprintf(&out, "requests missing: %s\n", strings.Join(lacking, ", "))
	var bad []string
	for _, one := range f.Bad {
		bad = append(bad, fmt.Sprintf("%s fail: %s, at worst %d", percent(one.Share), digits(one.Expected), one.Worst))
	}
	fmt.Fprintf(&out, "failed answers of a bad release of which %s\n", strings.Join(bad, "; "))
	fmt.Fprintf(&out, "takes at most %d pods and %s CPU beside the service's own; more by `rollout forecast%s`",
		f.Cost.Pods, digits(f.Cost.CPU), Plan{Stack: f.Stack}.on())
	return out.String()
}
