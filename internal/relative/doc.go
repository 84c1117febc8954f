// Package relative compares the canary with the stable track: it finds a release that is worse than stable while it is
// below every limit, and trouble that an average hides.
//
// Four tests look at the blocks of a soak. Each is a test of its own with two samples:
//
//   - the share of failed requests: the null hypothesis is that the canary's is at most [Limits].Ratio times stable's;
//   - the whole distribution of the latency: at every bound of the histogram, that the canary is at most
//     [Limits].Slower times as slow as stable;
//   - each slice, which is a part of the requests: those with a label's value (a path, an operation, a tenant) against
//     stable's with the same value, and those of each canary pod against all of stable's;
//   - CPU a request and memory a pod: see [Resources].
//
// Stable's own level may change from block to block in any way, as it does at night or when a dependency of both tracks
// fails: the null hypotheses only say how the canary's relates to it.
//
// The tests are valid at every look. The evidence is an e-process: a non-negative process with an expectation of at
// most 1 at every stopping time under the null hypothesis. By Ville's inequality it ever reaches 1/alpha with a
// probability of at most alpha. It mixes over alternatives and over the times at which the trouble begins, as
// [gate.Detector] does, and of each block's likelihood ratio only min(ratio, constant) counts, as [gate.Cap] explains,
// so that a burst of errors cannot decide. [Alpha] is shared among the tests, and that of the slices equally
// among all that may be found (Bonferroni): a finding names its slice, and an average of e-values could not.
//
// The promise is that of independent requests. How rarely bursts lead to a finding is measured; see docs/benchmarks.md.
//
// Literature: J. Przyborowski and H. Wilenski, Homogeneity of results in testing samples from Poisson series (1940),
// for the conditional binomial test of two rates; R. Turner, A. Ly and P. Grünwald, Generic e-variables for exact
// sequential k-sample tests (2024); I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by
// betting (2024); S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, Time-uniform Chernoff bounds via nonnegative
// supermartingales (2020); J. Shin, A. Ramdas and A. Rinaldo, E-detectors (2023); V. Vovk and R. Wang, E-values:
// calibration, combination and applications (2021).
package relative
