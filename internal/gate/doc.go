// Package gate judges a release on its metrics: success criteria, the counts that Prometheus holds, and verdicts.
//
// A gate counts bad events k (5xx answers; requests slower than the latency limit) among n requests and compares
// their share with two limits: the target that a good release keeps, and the rollback limit that no release may
// exceed. A release is looked at again and again, therefore "fail" rests on a test that stays valid at every look,
// however often it is made: the mixture e-process of [EValue]. Under a true share of at most the rollback limit, the
// probability that it ever reaches 1/alpha is at most alpha (Ville's inequality), whatever the number of looks and
// whenever one stops.
//
// Literature: J. Ville, Étude critique de la notion de collectif (1939); A. Wald, Sequential Analysis (1947); H.
// Robbins, Statistical methods related to the law of the iterated logarithm (1970); S. Howard, A. Ramdas, J.
// McAuliffe and J. Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences (2021); A. Ramdas, P.
// Grünwald, V. Vovk and G. Shafer, Game-theoretic statistics and safe anytime-valid inference (2023). The interval
// that is only displayed is that of C. Clopper and E. Pearson (1934).
//
// The arithmetic is pure. It may import neither Kubernetes nor Pulumi nor HTTP; only prometheus.go speaks to a server.
package gate
