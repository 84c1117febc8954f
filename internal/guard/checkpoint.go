package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
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
		err := r.note(ctx, look)
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

// note writes the look into the ledger, and an extension when the soak's time is over without its criteria being met.
func (r *runner) note(ctx context.Context, look advance.Soak) error {
	now, who := r.guard.options.Now, "guard/"+r.guard.options.Identity
	_, err := ledger.Append(ctx, r.store(), now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		state := current.State()
		entry, due := soak.Checkpoint(look, state, now(), who)
		if !due {
			return nil, nil
		}
		entries := []ledger.Entry{entry}
		if extension, over := extend(look, state, who); over {
			entries = append(entries, extension)
		}
		return entries, nil
	})
	return err
}

// extend is the entry of an extension; the second result is false when the soak goes on, has passed, or is extended
// already.
func extend(look advance.Soak, state ledger.State, who string) (ledger.Entry, bool) {
	over := look.Soaked >= look.Plan.Required(look.Extensions) && look.Extensions == state.Extensions
	if !over || look.Evaluation.Verdict() != gate.Inconclusive {
		return ledger.Entry{}, false
	}
	return ledger.Entry{
		Kind: ledger.Extended, Who: who, Release: state.Release, Image: state.Image, To: state.Weight,
		Verdict: string(gate.Inconclusive),
		Reason:  fmt.Sprintf("by %s: %s", look.Plan.Extension, look.Evaluation.Reasons(gate.Inconclusive)),
		Numbers: soak.Numbers(look.Evaluation), Soaked: int64(look.Soaked / time.Second),
	}, true
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
