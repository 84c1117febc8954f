// Package forecast says before a release starts how it will go: when it is done, how probable a false rollback is,
// which stage has too few requests to be decided, how many answers a bad release fails before it is taken out, and
// which pods and CPU the trial takes.
//
// The package judges nothing itself. It draws traffic like that of the last weeks and lets [simulate.RunTraffic] judge
// it, with the code of bake, soak and guard. Restarts, alerts and the stack's own criteria are not forecast.
//
// The package is pure: the same [Profile], [Plan] and seed give the same [Forecast]. It reads no clock, and asks a
// server only through the [Ranger] of [Observe].
package forecast
