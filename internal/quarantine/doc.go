// Package quarantine decides when a canary leaves traffic for a while and when for good.
//
// Fast evidence takes errors for independent. In services whose errors come in bursts it fires on healthy canaries, so
// that it may isolate, which costs little while stable has the capacity, but must not convict. A canary that it fires
// on is taken out at once and comes back after a pause, with one pod first. It is convicted by repetition, by evidence
// that no burst gives (a capped detector of gate), and at once when nearly everything fails that it has served. A crash
// loop, or a person with `rollout rollback`, convicts without asking here.
//
// Assumptions. An offence is one firing of the fast detector, whose probability is at most its alpha for each
// admission to traffic of a canary that keeps its limit, if errors are independent. Conviction by repetition needs a
// first offence and is therefore at most as likely. For bursts nothing is proven: docs/benchmarks.md has the measured
// share of convicted healthy canaries. Repetition assumes that a burst is over after the longest pause, and that a new
// one rarely falls into the first requests after a readmission.
//
// The package is pure. Times are those of the looks; the state is plain data that a ledger can keep.
package quarantine
