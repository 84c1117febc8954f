package program

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// makeErrand registers what does the errand of this update, before anything else of the pods changes: a time in the
// stack's state, whose hook the engine calls when the time changes. It changes where there is an errand and in no
// preview, so that an update without one has nothing to do; and the engine calls hooks in updates alone, not for
// `pulumi refresh` or `pulumi destroy --run-program`, which run the program as well.
func (p *program) makeErrand() error {
	if p.settings.IsSingle() {
		return nil
	}
	inComponent, err := p.inComponent()
	if err != nil {
		return err
	}
	options := []pulumi.ResourceOption{pulumi.ResourceHooks(p.hooks.errand), inComponent}
	if p.ctx.DryRun() || p.shift.Errand() == "" {
		options = append(options, pulumi.IgnoreChanges([]string{"input"}))
	}
	errand, err := pulumi.NewStash(p.ctx, p.scope.resource("errand"), &pulumi.StashArgs{
		Input: pulumi.String(p.rollout.Clock.Now().UTC().Format(time.RFC3339Nano)),
	}, options...)
	p.needed = append(p.needed, errand)
	return err
}
