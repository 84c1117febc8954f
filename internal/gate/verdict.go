package gate

// Verdict is the outcome of a criterion or of a whole gate. Only Fail rolls back; only Pass advances.
type Verdict string

const (
	// Pass means that there was enough evidence and that it met the target.
	Pass Verdict = "pass"
	// Fail means that the evidence shows the release to be worse than the rollback limit. It is the only verdict on
	// which a release is taken out of traffic.
	Fail Verdict = "fail"
	// Inconclusive means that the metrics were read, but show neither: too few requests, or a share between the target and
	// what could be told apart from the rollback limit. Time and traffic may cure it; a person may look.
	Inconclusive Verdict = "inconclusive"
	// Error means that nothing could be judged: Prometheus did not answer, or holds no such series. It says nothing
	// about the release, so it neither advances nor rolls back.
	Error Verdict = "error"
)

// Worst combines verdicts into one. The order is fail > error > inconclusive > pass: proof that a release is bad is
// not undone by another criterion that could not be read, and what could not be read is worse than what was read and
// is still open. Without any verdict the result is Inconclusive, because nothing was shown; an unknown verdict counts
// as Error.
func Worst(verdicts ...Verdict) Verdict {
	if len(verdicts) == 0 {
		return Inconclusive
	}
	worst := Pass
	for _, v := range verdicts {
		if v.rank() > worst.rank() {
			worst = v
		}
	}
	if worst.rank() == Error.rank() {
		return Error
	}
	return worst
}

func (v Verdict) rank() int {
	switch v {
	case Pass:
		return 0
	case Inconclusive:
		return 1
	case Fail:
		return 3
	default:
		return 2
	}
}
