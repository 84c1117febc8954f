package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func anyStages(t *rapid.T) Stages {
	weights := rapid.SliceOfNDistinct(rapid.IntRange(1, 99), 0, 6, rapid.ID[int]).Draw(t, "weights")
	slices.Sort(weights)
	return append(Stages(weights), 100)
}

func TestStagesForACountOfPods(t *testing.T) {
	if got := DefaultStages().Pods(); got != 10 {
		t.Errorf("the default stages need %d pods", got)
	}
	for total, want := range map[int]Stages{
		4: {25, 50, 75, 100}, 5: {20, 40, 60, 100}, 10: {10, 30, 60, 100}, 20: {10, 30, 60, 100}, 3: nil, 1: nil,
	} {
		if got := DefaultStages().Fitting(total); !slices.Equal(got, want) {
			t.Errorf("%d pods: %v, want %v", total, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		stages, total := anyStages(t), rapid.IntRange(1, 200).Draw(t, "total")
		fitting := stages.Fitting(total)
		if fitting != nil && (fitting.Validate() != nil || len(fitting) != len(stages)) {
			t.Fatalf("%d pods: %v", total, fitting)
		}
		for _, weight := range fitting {
			if _, err := Split(1, weight, total, 0); err != nil {
				t.Fatal(err)
			}
		}
		for _, weight := range stages {
			if _, err := Split(1, weight, stages.Pods(), 0); err != nil {
				t.Fatal(err)
			}
		}
	})
}
