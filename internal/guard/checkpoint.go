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

// checkpoint takes the soak's scheduled look when one is due, and does not wait for it.
func (r *runner) checkpoint(ctx context.Context) {
	now := r.now()
	if r.looking || r.state == nil || r.config.Prometheus == "" || r.config.DryRun ||
		!soak.Due(r.config.Spec.Plan, *r.state, now) {
		return
	}
	if now.Sub(r.looked) < spacing(r.config.Spec.Plan, now.Sub(r.state.SoakSince)) {
		return
	}
	server, err := r.guard.prometheus(r.config.Prometheus)
	if err != nil {
		r.failed(ctx, SourcePrometheus, err)
		return
	}
	r.looking, r.looked = true, now
	state := *r.state
	go func() {
		look := soak.Look(ctx, r.config.Spec, r.guard.options.Cluster, server, state, now)
		_, err := soak.Note(ctx, r.store(), r.guard.options.Now, "guard/"+r.guard.options.Identity, look)
		r.post(func(ctx context.Context) { r.judged(ctx, look, err) })
	}()
}

// spacing is the least time between two checkpoints. A soak of a minute, for a demo, has one every second by the
// schedule's proportions, and goes on like that after its end: the ledger must not be filled with them.
func spacing(schedule plan.Soak, elapsed time.Duration) time.Duration {
	if elapsed > schedule.Required(1) {
		return 15 * time.Minute
	}
	return max(schedule.Duration/200, 2*time.Second)
}

// judged acts on a checkpoint. Only a failed one rolls back.
func (r *runner) judged(ctx context.Context, look advance.Soak, noted error) {
	r.looking = false
	if noted != nil {
		r.failed(ctx, SourceLedger, noted)
	}
	verdict := look.Evaluation.Verdict()
	r.log.InfoContext(ctx, "checkpoint", "verdict", verdict, "soaked", look.Soaked.String())
	switch verdict {
	case gate.Fail:
		// What was looked at may be gone by now.
		if r.state != nil && look.Since.Equal(r.state.SoakSince) && r.tracker != nil {
			r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseSoak, Subject: r.subject,
				Reason: "a checkpoint of the soak failed: " + look.Evaluation.Reasons(gate.Fail)})
		}
	case gate.Error:
		r.failed(ctx, SourceSoak, fmt.Errorf("checkpoint: %s", look.Evaluation.Reasons(gate.Error)))
	default:
		r.recovered(ctx, SourceSoak)
		r.lastSight = r.now()
	}
}

// prometheus reaches a server.
func (g *Guard) prometheus(endpoint string) (soak.Server, error) {
	client, address, err := g.options.Reach(endpoint)
	if err != nil {
		return nil, err
	}
	return prometheus.NewClient(client, address)
}
