package report

import (
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Check is a next step.
type Check struct {
	// Done is true when the ledger shows that it is done.
	Done bool   `json:"done"`
	What string `json:"what"`
	// Command does it; empty when there is none.
	Command string `json:"command,omitempty"`
}

// checklist lists the next steps, by the present state of the rollout.
func checklist(in Input, r *Report) []Check {
	state := in.State
	do := func(what, command string) Check { return Check{What: what, Command: command} }
	on := func(command string) string { return fmt.Sprintf("%s -s %s", command, in.Stack) }
	if state.Release != "" && state.Release != in.Release {
		return []Check{do(fmt.Sprintf("release %s is on trial now: see its own report", state.Release),
			on("rollout report --release "+state.Release))}
	}
	latched := false
	for _, image := range r.Images {
		_, engaged := state.Latch(image)
		latched = latched || engaged
	}
	switch {
	case state.Unfinished != nil:
		return []Check{
			do("the rollback is not recorded as complete: check its state", on("rollout status")),
			do("finish it", on("rollout rollback --option scale")),
		}
	case latched:
		return []Check{
			do("read the evidence of the canary", on("rollout evidence list")),
			do("find the cause", on("rollout diagnose")),
			do("set the stack to 0 %", on("pulumi config set canaryWeight 0")+" && "+on("pulumi up --refresh")),
			do("fix it, and verify the new image in staging", "pulumi up -s staging"),
			do("if the image was not the cause, release its latch with a reason", on("rollout unlatch --reason WHY")),
			do("begin again at the first stage", on("rollout advance")),
		}
	case state.Weight == 100:
		return append(soaking(in, r), do("make the canary's image stable", on("rollout finish")))
	case state.Weight > 0:
		return append(soaking(in, r), do(fmt.Sprintf("advance to %d %%", next(in)),
			on(fmt.Sprintf("rollout advance --to %d", next(in)))))
	case finished(r):
		return []Check{
			{Done: true, What: "the canary's image is now stable"},
			do("review the rollbacks, extensions and overrides of this report", ""),
			do("name the next release, and verify its image in staging", on("pulumi config set release NAME")),
		}
	default:
		return []Check{do("begin at the first stage", on("rollout advance"))}
	}
}

// soaking lists the steps before the next stage.
func soaking(in Input, r *Report) []Check {
	var soaked, required time.Duration
	required = in.Soak.Required(in.State.Extensions)
	verdict := ""
	if len(r.Stages) > 0 {
		stage := r.Stages[len(r.Stages)-1]
		soaked, verdict = stage.Soaked, stage.Verdict
	}
	on := func(command string) string { return fmt.Sprintf("%s -s %s", command, in.Stack) }
	return []Check{
		{Done: soaked >= required && soaked > 0, What: fmt.Sprintf("%v of %v soaked at %d %% by the last checkpoint",
			soaked, required, in.State.Weight), Command: on("rollout status")},
		{Done: verdict == "pass", What: "the last checkpoint passed", Command: on("rollout status")},
		{What: "review the alerts that fired or asked for a review", Command: on("rollout diagnose")},
		{What: "security audit, backups and sign-off are attested and valid", Command: on("rollout preflight")},
		{What: "a rollback was rehearsed recently", Command: on("rollout rehearse")},
	}
}

// next returns the weight of the next stage.
func next(in Input) int {
	for _, weight := range in.Stages {
		if weight > in.State.Weight {
			return weight
		}
	}
	return 100
}

func finished(r *Report) bool {
	for _, stage := range r.Stages {
		if stage.Ended == "finished" {
			return true
		}
	}
	return false
}

// marks returns the events of a release that appear in the charts.
func marks(story []ledger.Entry) []Mark {
	var list []Mark
	for _, entry := range story {
		switch entry.Kind {
		case ledger.ShiftReached:
			list = append(list, Mark{Time: entry.Time, Label: fmt.Sprintf("%d %%", entry.To), Tone: Plain})
		case ledger.Finished:
			list = append(list, Mark{Time: entry.Time, Label: "finished", Tone: Good})
		case ledger.RollbackBegun:
			list = append(list, Mark{Time: entry.Time, Label: "rollback", Tone: Bad})
		case ledger.Extended:
			list = append(list, Mark{Time: entry.Time, Label: "extended", Tone: Warn})
		}
	}
	return list
}
