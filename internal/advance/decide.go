package advance

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Decide judges the move from where the rollout stands to the target.
//
// A move that raises nothing needs no evidence: the operator can go down, stay, or settle at 0 at any time. Entering
// needs an open latch and an image that staging has verified. Advancing and finishing need the soak of the current
// stage: its full time and the verdict pass. The verdict fail rolls the canary back, whatever the calendar says. All
// upward moves need an open calendar, no open incident and the attestations that the stack requires; of these a resumed
// shift needs only that no incident is open.
func Decide(f Facts) Decision {
	move, err := f.Stages.Move(f.Standing, f.Target)
	decision := Decision{Move: move, Changes: f.OfStable}
	if illegal, ok := errors.AsType[*plan.IllegalError](err); ok {
		decision.illegal(f, illegal)
	}
	decision.rename(f)
	decision.latch(f)
	if err == nil && move.Raises() {
		decision.staging(f)
	}
	if err == nil {
		decision.hold(f)
		decision.floors(f)
		decision.guarded(f)
	}
	if err == nil && (move.Kind == plan.Advance || move.Kind == plan.Finish) {
		decision.soak(f)
	}
	decision.override(f)
	return decision
}

// illegal refuses a move that the plan does not allow, with the parts of the configuration that make it one.
func (d *Decision) illegal(f Facts, illegal *plan.IllegalError) {
	reason, resolve := illegal.Error(), "set a legal weight with `pulumi config set canaryWeight WEIGHT"+f.onStack()+"`"
	switch {
	case f.OfTrial != "" && f.Target.Canary == f.Standing.Canary:
		reason += "; the configuration differs from what is on trial in " + f.OfTrial
		resolve += ", or set the configuration back to try the change in a release of its own"
	case f.OfFinish != "" && f.Standing.Finishes(f.Target):
		reason += "; stable would differ from what passed in " + f.OfFinish
		resolve = fmt.Sprintf("give stable what `canary` gives the canary alone: set it for all pods, such as "+
			"`pulumi config set --path env.NAME VALUE%[1]s`, then `pulumi config rm --path canary.env.NAME%[1]s`; the canary "+
			"keeps its identity by that", f.onStack())
	}
	d.refuse(CauseIllegal, reason, resolve)
}

func (d *Decision) refuse(cause Cause, reason, resolve string) {
	d.Refusals = append(d.Refusals, Refusal{Cause: cause, Reason: reason, Resolve: resolve})
}

// Renames reports whether the configuration gives a release that lives another name. The way down to 0 % is none: the
// release goes there under the name that it has.
func (f Facts) Renames() bool {
	return f.Living != "" && f.Named != "" && f.Named != f.Living && f.Target.Weight > 0
}

// Rename decides on the name alone. It is for the beginning of an update, before anything is made under a name.
func Rename(f Facts) Decision {
	decision := Decision{Move: plan.Move{From: f.Standing.Weight, To: f.Target.Weight}}
	decision.rename(f)
	return decision
}

// rename refuses to give a release that lives another name.
func (d *Decision) rename(f Facts) {
	if !f.Renames() {
		return
	}
	d.refuse(CauseRenamed,
		fmt.Sprintf("the configuration names the release %s, but %s is on trial, and a release keeps its name until it is "+
			"at 0 %%: week and canaryWeight move its weight", f.Named, f.Living),
		fmt.Sprintf("to go on with %[1]s, `pulumi config set release %[1]s -s %[3]s`; to try %[2]s instead, take %[1]s out "+
			"with `pulumi config set canaryWeight 0 -s %[3]s && pulumi up -s %[3]s`, then let %[2]s enter at up to %[4]d %% "+
			"with `pulumi config set canaryWeight %[4]d -s %[3]s && pulumi up -s %[3]s`", f.Living, f.Named, f.Stack,
			f.Stages.First()))
}

// latch refuses every move that sends requests to a rolled-back image, on whichever track. The image that stable runs
// already may stay: it is what a rollback goes back to.
func (d *Decision) latch(f Facts) {
	if f.StableLatch != nil && f.Target.Stable != f.Standing.Stable {
		d.latchedStable(f)
	}
	if f.Latch == nil || f.Target.Weight == 0 {
		return
	}
	if f.Latch.Parts != "" {
		d.latchedConfiguration(f)
		return
	}
	suspects := ""
	if f.Latch.Suspects != "" {
		suspects = "; suspect as well, because it was new beside the image: " + f.Latch.Suspects
	}
	d.refuse(CauseLatched,
		fmt.Sprintf("the canary image %s was rolled back at %s by %s: %s%s", f.Target.Canary,
			f.Latch.When.UTC().Format(time.RFC3339), f.Latch.Who, f.Latch.Reason, suspects),
		fmt.Sprintf("settle with `pulumi config set canaryWeight 0%[1]s && pulumi up%[1]s`, or set another image; once the "+
			"cause is fixed, %[2]s", f.onStack(), f.releasing(f.Latch)))
}

// latchedConfiguration refuses a configuration that was rolled back beside the image that stable ran.
func (d *Decision) latchedConfiguration(f Facts) {
	d.refuse(CauseLatched,
		fmt.Sprintf("the configuration was rolled back at %s by %s: %s; kept out, compared with what stable runs: %s",
			f.Latch.When.UTC().Format(time.RFC3339), f.Latch.Who, f.Latch.Reason, f.Latch.Parts),
		fmt.Sprintf("settle with `pulumi config set canaryWeight 0%[1]s && pulumi up%[1]s`, or set another value; once the "+
			"cause is fixed, %[2]s", f.onStack(), f.releasing(f.Latch)))
}

// releasing is how to release a latch.
func (f Facts) releasing(latch *Latch) string {
	return fmt.Sprintf("release the latch with `pulumi config set --path latch.release %[1]d%[2]s && "+
		"pulumi config set --path latch.reason WHY%[2]s && pulumi up%[2]s`", latch.Entry, f.onStack())
}

// onStack is the flag that names the stack in a command; empty where it has no name.
func (f Facts) onStack() string {
	if f.Stack == "" {
		return ""
	}
	return " -s " + f.Stack
}

func (d *Decision) latchedStable(f Facts) {
	keep := "set an image that was not rolled back"
	if f.Standing.Stable != "" {
		keep = "keep the stable image " + f.Standing.Stable
	}
	d.refuse(CauseLatched,
		fmt.Sprintf("the image %s, which stable is to run, was rolled back at %s by %s: %s", f.Target.Stable,
			f.StableLatch.When.UTC().Format(time.RFC3339), f.StableLatch.Who, f.StableLatch.Reason),
		fmt.Sprintf("%s; once the cause is fixed, %s", keep, f.releasing(f.StableLatch)))
}

func (d *Decision) staging(f Facts) {
	// An image that is on a track was verified when it entered: a changed configuration brings no new one.
	known := d.Move.Kind == plan.Enter && (f.Standing.Weight > 0 && f.Target.Canary == f.Standing.Canary ||
		f.Target.Canary == f.Standing.Stable && f.Standing.Stable != "")
	if !f.Staging.Required || known {
		return
	}
	resolve := fmt.Sprintf("deploy this image to %[1]s with `pulumi up -s %[1]s`, or skip the check with "+
		"`pulumi config set --path staging.required false%[2]s`", f.Staging.Stack, f.onStack())
	switch {
	case f.Staging.Err != nil:
		d.refuse(CauseStaging, fmt.Sprintf("stack %s cannot be read: %s", f.Staging.Stack, f.Staging.Err), resolve)
	case f.Staging.Verified == "":
		d.refuse(CauseStaging, fmt.Sprintf("stack %s has verified no image yet", f.Staging.Stack), resolve)
	case f.Staging.Verified != f.Target.Canary:
		d.refuse(CauseStaging, fmt.Sprintf("the canary image is %s, but stack %s last verified %s", f.Target.Canary,
			f.Staging.Stack, f.Staging.Verified), resolve)
	}
}

// floors refuses to go up by limits that ask for next to nothing: whatever they judge has passed. An interrupted shift
// was allowed by the limits of its time, and needs them as well to go on.
func (d *Decision) floors(f Facts) {
	if !d.Move.IsUpward() {
		return
	}
	for _, limit := range f.Loose {
		d.refuse(CauseLimits, limit.Reason, fmt.Sprintf("`pulumi config set --path %[1]s %[2]s%[5]s`; or lower the floor, "+
			"with a reason that the ledger keeps: `pulumi config set --path %[3]s %[4]s%[5]s && "+
			"pulumi config set --path floors.reason WHY%[5]s`", limit.Key, limit.Allowed, limit.Floor, limit.Given,
			f.onStack()))
	}
}

// guarded refuses to give more requests to a canary whose guard does not act.
func (d *Decision) guarded(f Facts) {
	if f.Disarmed == "" || d.Move.Kind != plan.Advance {
		return
	}
	d.refuse(CauseDisarmed, f.Disarmed, fmt.Sprintf("arm it with `pulumi config set --path guard.dryRun false%[1]s && "+
		"pulumi up --refresh%[1]s` while the weight stays as it is, and look for who changed it", f.onStack()))
}

// soak judges the evidence. A resumed shift skips it: the gate allowed that shift before.
func (d *Decision) soak(f Facts) {
	again := "run `pulumi up" + f.onStack() + "` again"
	if f.Soak == nil {
		d.refuse(CauseBlind, "the current stage has not been evaluated", again)
		return
	}
	d.Soak = f.Soak
	required := f.Soak.Plan.Required(f.Soak.Extensions)
	verdict := f.Soak.Evaluation.Verdict()
	if verdict == gate.Fail {
		d.RollBack = true
		d.refuse(CauseFailed,
			"the canary exceeds the rollback limit with statistical confidence: "+f.Soak.Evaluation.Reasons(gate.Fail),
			"the canary is rolled back and latched; set another image")
		return
	}
	short := f.Soak.Soaked < required
	if short {
		d.refuse(CauseSoak, fmt.Sprintf("soaked %s of %s at %d %%, since %s", duration(f.Soak.Soaked), duration(required),
			f.Standing.Weight, f.Soak.Since.UTC().Format(time.RFC3339)),
			fmt.Sprintf("wait %s, then %s", duration((required-f.Soak.Soaked).Round(time.Second)), again))
	}
	switch verdict {
	case gate.Error:
		d.refuse(CauseBlind, f.Soak.Evaluation.Reasons(gate.Error), "restore access to Prometheus, then "+again)
	case gate.Inconclusive:
		d.refuse(CauseCriteria, f.Soak.Evaluation.Reasons(gate.Inconclusive), f.resolveCriteria(again))
		d.Extend = !short
	}
}

// resolveCriteria is how to go on with criteria that are not met: a canary that is worse than stable needs a person,
// and time helps the others.
func (f Facts) resolveCriteria(again string) string {
	if !slices.ContainsFunc(f.Soak.Evaluation.Results, func(r gate.Result) bool { return r.Review }) {
		return again
	}
	return fmt.Sprintf("take the canary out with `pulumi config set canaryWeight 0%[1]s && pulumi up%[1]s`, or, if the "+
		"difference is acceptable, let this shift through with `pulumi config set --path override.weight %[2]d%[1]s && "+
		"pulumi config set --path override.reason WHY%[1]s && pulumi up%[1]s`", f.onStack(), f.Target.Weight)
}

// override allows the shift if the override is for this weight and covers every refusal.
func (d *Decision) override(f Facts) {
	if f.Override == nil || f.Override.Weight != f.Target.Weight || len(d.Refusals) == 0 || d.RollBack {
		return
	}
	for _, refusal := range d.Refusals {
		if !refusal.overridable() {
			return
		}
	}
	d.Overridden = f.Override
}
