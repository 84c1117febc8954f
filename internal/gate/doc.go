// Package gate judges a release by its metrics: success criteria, the counts in Prometheus, and verdicts.
//
// A gate counts bad events k (5xx answers, or requests slower than the latency limit) among n requests and compares
// their share with two limits: the target of a good release, and the rollback limit that no release may exceed. A gate
// looks at a release repeatedly. A fail therefore rests on a test that is valid at every look: the mixture e-process of
// [EValue]. If the true share is at most the rollback limit, the probability that it ever reaches 1/alpha is at most
// alpha (Ville's inequality), for any number of looks and any stopping rule. The test takes errors for independent.
//
// Literature: J. Ville, Étude critique de la notion de collectif (1939); A. Wald, Sequential Analysis (1947); H.
// Robbins, Statistical methods related to the law of the iterated logarithm (1970); S. Howard, A. Ramdas, J.
// McAuliffe and J. Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences (2021); A. Ramdas, P.
// Grünwald, V. Vovk and G. Shafer, Game-theoretic statistics and safe anytime-valid inference (2023). The displayed
// interval is that of C. Clopper and E. Pearson (1934).
//
// The package is pure arithmetic over a [Querier]. It imports neither Kubernetes nor Pulumi nor HTTP; the client of
// Prometheus is in internal/prometheus.
package gate
