package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// checkpoint evaluates the soak in the background when one of its checkpoints is due.
func (r *runner) checkpoint(ctx context.Context) {
	now, schedule := r.now(), r.config.Spec.Plan
	if r.seesSoak() && soak.Due(schedule, *r.record.state, now) &&
		r.actions.mayLook(now, spacing(schedule, now.Sub(r.record.state.SoakSince))) {
		r.lookAtSoak(ctx)
	}
}

// outOfTurn is the least time between the evaluations of a soak that alerts ask for.
const outOfTurn = time.Minute

// lookOutOfTurn evaluates the soak although no checkpoint may be due. Its test is valid at every look.
func (r *runner) lookOutOfTurn(ctx context.Context) {
	if r.seesSoak() && soak.IsUnderWay(*r.record.state) && r.actions.mayLook(r.now(), outOfTurn) {
		r.lookAtSoak(ctx)
	}
}

// seesSoak reports whether there is a soak to act on and a Prometheus to ask.
func (r *runner) seesSoak() bool {
	return r.record.state != nil && r.config.Prometheus != "" && !r.config.DryRun
}

// lookAtSoak evaluates the soak in the background and notes what is due.
func (r *runner) lookAtSoak(ctx context.Context) {
	now, state := r.now(), *r.record.state
	server, err := r.guard.prometheus(r.config.Prometheus)
	if err != nil {
		r.failed(ctx, SourcePrometheus, err)
		return
	}
	server = soak.WithAddresses(server, r.guard.options.OwnClient)
	r.actions.startLook(now)
	go func() {
		look := soak.Look(ctx, r.config.Spec, r.guard.options.Cluster, server, state, now)
		_, err := soak.Note(ctx, r.store(), r.guard.options.Now, r.guard.who(), look)
		r.post(func(ctx context.Context) { r.judgeSoak(ctx, look, err) })
	}()
}

// spacing is the least time between two checkpoints. The schedule of a demo's soak of one minute has a checkpoint every
// second, and goes on like that after its end: checkpoints must not fill the ledger.
func spacing(schedule plan.Soak, elapsed time.Duration) time.Duration {
	if elapsed > schedule.Required(1) {
		return 15 * time.Minute
	}
	return max(schedule.Duration/200, 2*time.Second)
}

// judgeSoak acts on a checkpoint. Only a failed one rolls back. The error is that of noting it.
func (r *runner) judgeSoak(ctx context.Context, look advance.Soak, noteErr error) {
	r.actions.looking = false
	if noteErr != nil {
		r.failed(ctx, SourceLedger, noteErr)
	}
	verdict := look.Evaluation.Verdict()
	r.log.InfoContext(ctx, "checkpoint", "verdict", verdict, "soaked", look.Soaked.String())
	switch verdict {
	case gate.Fail:
		// The rollout may have left the stage during the evaluation.
		if r.record.state != nil && look.Since.Equal(r.record.state.SoakSince) && r.view.tracker != nil {
			r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseSoak, Subject: r.view.subject.String(),
				Reason: "a checkpoint of the soak failed: " + look.Evaluation.Reasons(gate.Fail)})
		}
	case gate.Error:
		r.failed(ctx, SourceSoak, fmt.Errorf("checkpoint: %s", look.Evaluation.Reasons(gate.Error)))
	default:
		r.recovered(ctx, SourceSoak)
		r.view.sight.saw(SourcePrometheus, r.now(), blindAfter)
	}
}

// prometheus reaches a server.
func (g *Guard) prometheus(endpoint string) (soak.Server, error) {
	client, address, err := g.options.Reach(SourcePrometheus, endpoint)
	if err != nil {
		return nil, err
	}
	return prometheus.NewClient(client, address)
}
