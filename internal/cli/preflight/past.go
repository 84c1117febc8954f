package preflight

import "fmt"

// falseAlarms is what the limits make of the stack's own past, in which nothing was on trial. The promise of at most
// 0.1 % of false rollbacks is about independent errors, and a service's own may come in bursts.
func (c checker) falseAlarms() Row {
	past := c.f.Past
	r, ok := c.asked(row("false alarms", "%s names each of them; the guard that isolates before it rolls back: %s",
		c.on("rollout simulate --rehearse"), c.on("pulumi config set --path guard.quarantine true")), past.Err)
	if !ok {
		return r
	}
	if past.Dispersion == 0 {
		return r.is(Skipped, "the stable track has no requests to rehearse on")
	}
	errors := fmt.Sprintf("the errors' variance by minute and pod is %.1f times that of independent ones", past.Dispersion)
	mayQuarantine := c.s.Guard.Enabled && !c.s.Quarantines() && !c.s.IsGateway()
	switch {
	case past.RolledBack > 0:
		return r.is(Failed, "%d of %d soaks in which stable's own pods played the canary were rolled back; %s",
			past.RolledBack, past.Soaks, errors)
	case past.Bursty && mayQuarantine:
		return r.is(Failed, "%s: they come in bursts, and one can latch a healthy canary", errors)
	case past.Soaks == 0:
		return r.is(OK, "no pod of the stable track has lived for a soak of %v; %s", c.s.Soak.Duration, errors)
	default:
		return r.is(OK, "none in %d soaks in which stable's own pods played the canary (at most %.2g %% with 95 %% "+
			"confidence); %s", past.Soaks, 100*past.Upper, errors)
	}
}
