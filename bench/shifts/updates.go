package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// bakeLoad is the number of requests a second during a bake.
const bakeLoad = 50

// bakeDuration is the duration of the bake in rounds with one.
const bakeDuration = 20 * time.Second

// timeUpdates times an update from 10 to 30 %, kubectl for the same pods, and an unchanged update in turn, so that
// other load on the machine affects all of them.
func timeUpdates(ctx context.Context, s *stack, o options) (updatesReport, error) {
	report := updatesReport{Mode: o.mode, Bake: bakeDuration}
	for i := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, o.rounds)
		for _, measure := range []struct {
			into     *[]time.Duration
			timeOnce func(context.Context, *stack, options) (time.Duration, error)
		}{
			{&report.Unchanged, unchanged}, {&report.Shift, shiftWithoutBake}, {&report.Kubectl, byKubectl},
			{&report.Baked, shiftWithBake},
		} {
			took, err := measure.timeOnce(ctx, s, o)
			if err != nil {
				return report, err
			}
			*measure.into = append(*measure.into, took)
		}
	}
	return report, nil
}

func unchanged(ctx context.Context, s *stack, _ options) (time.Duration, error) {
	return s.Up(ctx, "production")
}

func shiftWithoutBake(ctx context.Context, s *stack, _ options) (time.Duration, error) {
	took, err := s.shift(ctx, 30)
	if err != nil {
		return 0, err
	}
	_, err = s.shift(ctx, 10)
	return took, err
}

// byKubectl leaves the pods as they are in the stack's state. Behind a Gateway the stable track keeps all of its pods.
func byKubectl(ctx context.Context, s *stack, o options) (time.Duration, error) {
	stable := func(percent int) int { return total * percent / 100 }
	if o.mode == modeGateway {
		stable = func(int) int { return total }
	}
	took, err := s.scale(ctx, stable(70), total*30/100)
	if err != nil {
		return 0, err
	}
	_, err = s.scale(ctx, stable(90), total*10/100)
	return took, err
}

func shiftWithBake(ctx context.Context, s *stack, o options) (took time.Duration, err error) {
	if err := s.set(ctx, "bake.duration="+bakeDuration.String()); err != nil {
		return 0, err
	}
	sent, err := s.startLoad(ctx, o, bakeLoad)
	if err != nil {
		return 0, err
	}
	took, err = s.shift(ctx, 30)
	sent.end()
	if err != nil {
		return 0, err
	}
	if err := s.set(ctx, "bake.duration=0s"); err != nil {
		return 0, err
	}
	_, err = s.shift(ctx, 10)
	return took, err
}
