package gate

// Verdict is the outcome of a criterion or of a whole gate. Only Fail rolls back; only Pass advances.
type Verdict string

const (
	// Pass means that the evidence suffices and meets the target.
	Pass Verdict = "pass"
	// Fail means that the release exceeds the rollback limit with statistical confidence. It is the only verdict that
	// takes a release out of traffic.
	Fail Verdict = "fail"
	// Inconclusive means that the metrics show neither: there are too few requests, or the share lies between the target
	// and the smallest share that can be distinguished from the rollback limit. Time and traffic may resolve it, or a
	// person may review it.
	Inconclusive Verdict = "inconclusive"
	// Error means that the release could not be judged: Prometheus did not answer, or has no such series. It neither
	// advances a release nor rolls it back.
	Error Verdict = "error"
)

// Worst combines verdicts into one, in the order fail > error > inconclusive > pass: a criterion that cannot be read
// does not undo the failure of another, and is worse than one that is still open. Without any verdict the result is
// Inconclusive. An unknown verdict counts as Error.
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
