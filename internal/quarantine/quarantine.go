package quarantine

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Policy sets the pauses.
type Policy struct {
	// Pauses are the times in quarantine after the first offence, the second and so on. An offence after the last pause
	// convicts.
	Pauses []time.Duration
	// Trial is how long the canary serves one pod's share after a pause before all of its pods return.
	Trial time.Duration
	// Probation and Requests are for how long, and how many requests, it must serve after its readmission without an
	// offence until its offences are forgotten. A bad canary offends again at its first requests; the longer the
	// probation, the likelier it is that another burst falls into it.
	Probation time.Duration
	Requests  int64
}

// DefaultPolicy convicts at the fifth offence in a row. Its numbers were chosen by measurement: most bursts are over
// within seconds, so that the first pause is short, and all pauses together outlast a burst of two minutes.
func DefaultPolicy() Policy {
	return Policy{Pauses: []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute},
		Trial: 30 * time.Second, Probation: 5 * time.Second, Requests: 50}
}

// Proof bounds the evidence that convicts in spite of bursts. Its numbers were chosen by measurement.
func Proof() gate.Cap { return gate.Cap{Nats: 3, Block: time.Minute} }

// MostWeight is the greatest weight in percent at which a canary is quarantined: up to it, the stable pods that are
// there can take its requests. Above it, fast evidence rolls back, which keeps the capacity.
const MostWeight = 30

// Phase is where a canary stands.
type Phase string

const (
	// Serving means that all its pods are in traffic, and nothing speaks against it.
	Serving Phase = "serving"
	// Quarantined means that it is out of traffic for a pause.
	Quarantined Phase = "quarantined"
	// Trial means that one pod is in traffic again.
	Trial Phase = "trial"
	// Probation means that all its pods are in traffic again, and its offences count.
	Probation Phase = "probation"
	// Convicted means that it is out of traffic for good. Nothing leads out of this phase.
	Convicted Phase = "convicted"
)

// State is what is remembered of a canary. The zero value is a canary that serves.
type State struct {
	Phase Phase `json:"phase,omitempty"`
	// Since is when the phase began.
	Since time.Time `json:"since,omitzero"`
	// Offences is how often it was quarantined, without those that a probation ended.
	Offences int `json:"offences,omitempty"`
	// Readmitted is when the last pause ended, for the probation.
	Readmitted time.Time `json:"readmitted,omitzero"`
	// Out is the time in quarantine of all ended pauses.
	Out time.Duration `json:"out,omitempty"`
}

// phase is Serving where the state has none.
func (s State) phase() Phase {
	if s.Phase == "" {
		return Serving
	}
	return s.Phase
}

// InTraffic reports whether any pod of the canary is in traffic.
func (s State) InTraffic() bool { return s.phase() != Quarantined && s.phase() != Convicted }

// Look is what is known at a time.
type Look struct {
	At time.Time
	// Served is the number of requests that the canary has served since it was let in.
	Served int64
	// Fast is whether the fast detector fires on what was served since the canary was let in.
	Fast bool
	// Proven is whether burst-robust evidence shows that the canary is above its limit.
	Proven bool
	// Total is whether nearly everything fails that the canary has ever served; see [IsTotal].
	Total bool
}

// Verb is what is to be done with a canary.
type Verb string

const (
	// Keep changes nothing.
	Keep Verb = "keep"
	// Isolate takes all its pods out of traffic, without a latch.
	Isolate Verb = "isolate"
	// AdmitOne lets one pod in again.
	AdmitOne Verb = "admit-one"
	// AdmitAll lets all its pods in.
	AdmitAll Verb = "admit-all"
	// RollBack takes it out of traffic and latches its image.
	RollBack Verb = "roll-back"
)

// Causes of a conviction.
const (
	CauseTotal    = "nearly everything fails"
	CauseProven   = "proven beyond bursts"
	CauseRepeated = "repeated"
)

// Action is what a look asks for, and why.
type Action struct {
	Verb Verb
	// Cause is that of a conviction.
	Cause string
	// Until is the end of a quarantine.
	Until time.Time
}

// Next gives the state after a look and what is to be done. Looks may come at any distance; one that is older than the
// state's phase counts as being at its beginning. A repeated look changes nothing more.
func (p Policy) Next(s State, look Look) (State, Action) {
	if s.phase() == Convicted {
		return s, Action{Verb: Keep}
	}
	now := look.At
	if now.Before(s.Since) {
		now = s.Since
	}
	if cause := p.conviction(s, look, now); cause != "" {
		s = p.leave(s, now)
		s.Phase, s.Since = Convicted, now
		return s, Action{Verb: RollBack, Cause: cause}
	}
	if s.phase() == Quarantined {
		return p.wait(s, now)
	}
	s = p.forget(s, look, now)
	if look.Fast {
		s.Phase, s.Since, s.Offences = Quarantined, now, s.Offences+1
		return s, Action{Verb: Isolate, Until: now.Add(p.pause(s.Offences))}
	}
	if s.phase() == Trial && now.Sub(s.Since) >= p.Trial {
		s.Phase, s.Since = Probation, now
		return p.forget(s, look, now), Action{Verb: AdmitAll}
	}
	return s, Action{Verb: Keep}
}

// conviction is the cause for which the look convicts; empty for none.
func (p Policy) conviction(s State, look Look, now time.Time) string {
	inTraffic := s.InTraffic()
	switch {
	case look.Proven:
		return CauseProven
	case look.Total && inTraffic:
		return CauseTotal
	case look.Fast && inTraffic && p.forget(s, look, now).Offences >= len(p.Pauses):
		return CauseRepeated
	default:
		return ""
	}
}

// pause is that after an offence, which counts from 1.
func (p Policy) pause(offence int) time.Duration { return p.Pauses[min(offence, len(p.Pauses))-1] }

// wait ends a quarantine whose pause is over.
func (p Policy) wait(s State, now time.Time) (State, Action) {
	if until := s.Since.Add(p.pause(s.Offences)); now.Before(until) {
		return s, Action{Verb: Keep, Until: until}
	}
	s = p.leave(s, now)
	s.Phase, s.Since, s.Readmitted = Trial, now, now
	return s, Action{Verb: AdmitOne}
}

// leave adds the time of a quarantine that ends.
func (p Policy) leave(s State, now time.Time) State {
	if s.phase() == Quarantined {
		s.Out += now.Sub(s.Since)
	}
	return s
}

// forget drops the offences of a canary whose probation is over. It may be over while one pod is on trial.
func (p Policy) forget(s State, look Look, now time.Time) State {
	if s.phase() != Trial && s.phase() != Probation || now.Sub(s.Readmitted) < p.Probation || look.Served < p.Requests {
		return s
	}
	s.Offences = 0
	if s.phase() == Probation {
		s.Phase, s.Since, s.Readmitted = Serving, now, time.Time{}
	}
	return s
}

const (
	// totalShare and totalLeast are the share of failures, and the requests, from which on nearly everything fails.
	totalShare = 0.9
	totalLeast = 10
)

// IsTotal reports whether nearly everything fails of the n requests that a canary has ever served, k of which failed.
// It is about a canary that has never worked: one that has served well before and fails wholly now may be in the middle
// of an outage.
func IsTotal(n, k int64) bool { return n >= totalLeast && float64(k) >= totalShare*float64(n) }
