package relative

import (
	"math"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// multiples are the alternatives "the canary fails this many times as often as it may", from a third more to almost
// everything.
var multiples = []float64{1.35, 1.8, 2.7, 5, 15, 60}

// levels are the alternatives that also say how often stable fails. They use the requests that do not fail as well,
// which shows a route that fails wholly after half as many requests.
var levels = []struct{ canary, stable float64 }{{0.95, 0.003}, {0.3, 0.003}}

// alternatives is the number of alternatives for errors.
var alternatives = len(multiples) + len(levels)

// errorRatios gives the logarithms of the likelihood ratios of a block, for "at most limit times stable's share".
//
// For a multiple m, one error is the canary's with the probability t = limit*n/(limit*n+s), n and s being the requests
// of canary and stable, if the canary fails just limit times as often; with m it is u = m*limit*n/(m*limit*n+s). The
// ratio is that of the conditional binomial test, (u/t)^k * ((1-u)/(1-t))^j with k and j errors. It is an e-value for
// independent requests of any share p at stable and q <= limit*p at the canary, not only for rare errors: E[ratio] =
// (1+q(u/t-1))^n * (1+p((1-u)/(1-t)-1))^s <= exp(q*n*(u/t-1) - p*s*(u-t)/(1-t)), and the exponent is at most 0, because
// limit*n*(u/t-1) = s*(u-t)/(1-t) by the choice of t.
//
// For a level (a, b), the ratio is that of a and b to the point (limit*p, p) of the null hypothesis that is closest by
// the Kullback-Leibler divergence n*KL(a, limit*p) + s*KL(b, p). The expectations A and B of a request's factor on
// either track are linear in the true shares, A^n * B^s is at most the mean of all factors to the power n+s, and that
// mean is highest at the closest point, where it is 1, since the null hypothesis is convex (Turner, Ly and Grünwald).
func errorRatios(limit float64, canary, stable gate.Counts, ratios []float64) {
	n, s, k, j := float64(canary.N), float64(stable.N), float64(canary.K), float64(stable.K)
	if n == 0 || s == 0 {
		clear(ratios)
		return
	}
	for i, m := range multiples {
		ratios[i] = 0
		if k+j > 0 {
			ratios[i] = k*math.Log(m) - (k+j)*math.Log((m*limit*n+s)/(limit*n+s))
		}
	}
	for i, level := range levels {
		p := closest(limit, n, s, level.canary, level.stable)
		q := limit * p
		ratios[len(multiples)+i] = k*math.Log(level.canary/q) + (n-k)*math.Log((1-level.canary)/(1-q)) +
			j*math.Log(level.stable/p) + (s-j)*math.Log((1-level.stable)/(1-p))
	}
}

// closest is stable's share of the point (limit*p, p) that is closest to (a, b) with n and s requests: the smaller root
// of limit*(n+s)*p^2 - (t*(1+limit) + limit*n*(1-a) + s*(1-b))*p + t, with t = n*a + s*b.
func closest(limit, n, s, a, b float64) float64 {
	t := n*a + s*b
	middle := t*(1+limit) + limit*n*(1-a) + s*(1-b)
	return 2 * t / (middle + math.Sqrt(max(middle*middle-4*limit*(n+s)*t, 0)))
}
