package simulate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/bursts"
)

// Bursts say how errors come together in generated traffic, beside or in place of those that come one by one. The zero
// value leaves them independent.
type Bursts struct {
	// Errors are the failed requests of a burst, beside the ordinary ones, within 1 s to 2 min; Every is the mean time
	// between two bursts. They hit each pod at times of its own, or all pods of both tracks at once.
	Errors  int
	Every   time.Duration
	AllPods bool
	// Daily are further errors at each pod, once a day together at a random time.
	Daily int
	// Correlation is that of the failures of a pod within each Block of time: their counts are beta-binomial.
	Correlation float64
	Block       time.Duration
	// Pods and StablePods share the requests of the tracks.
	Pods, StablePods int
}

// longestBurst is the length up to which the errors of a burst are spread.
const longestBurst = 2 * time.Minute

// none reports whether all errors are independent.
func (b Bursts) none() bool { return b.Errors == 0 && b.Daily == 0 && b.Correlation == 0 }

// spec is the stream of the errors that come beside the ordinary ones.
func (b Bursts) spec() bursts.Spec {
	spec := bursts.Spec{Name: "generated", Correlation: b.Correlation, Block: b.Block}
	if b.Errors > 0 {
		spec.Troubles = append(spec.Troubles, bursts.Trouble{Every: b.Every, AllPods: b.AllPods, Shortest: time.Second,
			Longest: longestBurst, Errors: b.Errors})
	}
	if b.Daily > 0 {
		spec.Troubles = append(spec.Troubles, bursts.Trouble{Every: 24 * time.Hour, Regular: true, Shortest: time.Second,
			Longest: longestBurst, Errors: b.Daily})
	}
	return spec
}

func (b Bursts) validate() error {
	var problems []error
	if b.Errors < 0 || b.Daily < 0 || b.Errors > 1e6 || b.Daily > 1e6 {
		problems = append(problems, fmt.Errorf("bursts of %d errors and %d errors a day: allowed are 0 to 1000000", b.Errors,
			b.Daily))
	} else if b.Errors > 0 && b.Every < time.Second {
		problems = append(problems, fmt.Errorf("a burst every %v: allowed is a second and more", b.Every))
	}
	if !(b.Correlation >= 0 && b.Correlation < 1) {
		problems = append(problems, fmt.Errorf("a correlation of %v: allowed is 0 and more, below 1", b.Correlation))
	}
	if b.Correlation > 0 && b.Block < time.Second {
		problems = append(problems, fmt.Errorf("a correlation within %v: allowed is a second and more", b.Block))
	}
	if !b.none() && (b.Pods < 1 || b.Pods > 1000 || b.StablePods < 1 || b.StablePods > 1000) {
		problems = append(problems, fmt.Errorf("%d pods of the canary and %d of stable: allowed are 1 to 1000", b.Pods,
			b.StablePods))
	}
	return errors.Join(problems...)
}

// add adds the errors that come in bursts to generated traffic.
func (b Bursts) add(traffic *Traffic, step time.Duration, seed uint64) error {
	if b.Errors == 0 && b.Daily == 0 {
		return nil
	}
	spec := b.spec()
	spec.Correlation, spec.Block = 0, 0
	stream, err := bursts.New(spec, bursts.Track{Pods: b.Pods}, bursts.Track{Pods: b.StablePods}, seed)
	if err != nil {
		return fmt.Errorf("generate bursts: %w", err)
	}
	done := time.Duration(0)
	for i := range traffic.Intervals {
		interval := &traffic.Intervals[i]
		for end := step * time.Duration(i+1); done+time.Second <= end; done += time.Second {
			canary, stable := stream.Next()
			interval.Canary.N, interval.Canary.K = interval.Canary.N+canary.N, interval.Canary.K+canary.K
			if interval.Stable != nil {
				interval.Stable.N, interval.Stable.K = interval.Stable.N+stable.N, interval.Stable.K+stable.K
			}
		}
	}
	return nil
}

// shares draws a share for each block of time, around a mean: the average of those of a track's pods.
type shares struct {
	correlation float64
	block       time.Duration
	pods        int
	source      rand.Source

	number int64
	mean   float64
	share  float64
}

func (b Bursts) shares(pods int, seed, stream uint64) *shares {
	return &shares{correlation: b.Correlation, block: b.Block, pods: pods, source: rand.NewPCG(seed, stream), number: -1}
}

// at is the share in the block of a time since the beginning.
func (s *shares) at(after time.Duration, mean float64) float64 {
	if s.correlation == 0 || mean <= 0 || mean >= 1 {
		return mean
	}
	number := int64((after - 1) / s.block)
	if number == s.number && mean == s.mean {
		return s.share
	}
	s.number, s.mean, s.share = number, mean, 0
	size := 1/s.correlation - 1
	beta := distuv.Beta{Alpha: mean * size, Beta: (1 - mean) * size, Src: s.source}
	for range s.pods {
		s.share += beta.Rand() / float64(s.pods)
	}
	return s.share
}
