package plan

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestStageWeights(t *testing.T) {
	for week, want := range map[int]int{1: 10, 2: 30, 3: 60, 4: 100} {
		got, err := DefaultStages().Weight(week)
		if err != nil || got != want {
			t.Errorf("Weight(%d) = %d, %v; want %d", week, got, err, want)
		}
	}
	for _, week := range []int{-1, 0, 5} {
		if _, err := DefaultStages().Weight(week); err == nil || !strings.Contains(err.Error(), "1 to 4") {
			t.Errorf("Weight(%d): error %v, want one that names the weeks allowed", week, err)
		}
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		weight, total  int
		stable, canary int
		wantErr        string
	}{
		{weight: 0, total: 10, stable: 10, canary: 0},
		{weight: 10, total: 10, stable: 9, canary: 1},
		{weight: 30, total: 10, stable: 7, canary: 3},
		{weight: 60, total: 10, stable: 4, canary: 6},
		{weight: 100, total: 10, stable: 0, canary: 10},
		{weight: 25, total: 4, stable: 3, canary: 1},
		{weight: 33, total: 10, wantErr: "30 % (3 of 10) and 40 % (4 of 10)"},
		{weight: 10, total: 4, wantErr: "0 % (0 of 4) and 25 % (1 of 4)"},
		{weight: 10, total: 3, wantErr: "0 % (0 of 3) and 100 % (3 of 3)"},
		{weight: -1, total: 10, wantErr: "weight -1 % is out of range: allowed are 0 to 100"},
		{weight: 101, total: 10, wantErr: "weight 101 % is out of range"},
		{weight: 10, total: 0, wantErr: "replicas 0"},
	}
	for _, tt := range tests {
		got, err := Split(1, tt.weight, tt.total, 0)
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("Split(%d %%, %d pods): error %v, want one with %q", tt.weight, tt.total, err, tt.wantErr)
			}
			continue
		}
		want := Position{Week: 1, Weight: tt.weight, Stable: tt.stable, Canary: tt.canary, Warm: tt.weight == 100}
		if err != nil || got != want {
			t.Errorf("Split(%d %%, %d pods) = %+v, %v; want %+v", tt.weight, tt.total, got, err, want)
		}
	}
}

func TestEnough(t *testing.T) {
	for _, tt := range []struct {
		weight, total, stable, canary int
		want                          int // 0 for none
	}{
		{weight: 10, total: 10, canary: 2, want: 20},
		{weight: 30, total: 10, canary: 2, want: 10},
		{weight: 90, total: 10, stable: 2, want: 20},
		{weight: 100, total: 10, stable: 2, canary: 12, want: 12},
		{weight: 0, total: 10, canary: 2},
		{weight: 10, total: 10, canary: 101},
	} {
		if got, ok := Enough(tt.weight, tt.total, tt.stable, tt.canary, 1000); got != tt.want || ok != (tt.want > 0) {
			t.Errorf("%+v: %d, %v", tt, got, ok)
		}
	}
}

// Either the pods express a weight exactly, or the refusal names the two neighbours that they do express.
func TestSplitIsExactOrNamesExpressibleNeighbours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight := rapid.IntRange(0, 100).Draw(t, "weight")
		total := rapid.IntRange(1, 500).Draw(t, "total")
		position, err := Split(1, weight, total, 0)
		if err == nil {
			if position.Capacity() != total || position.Canary*100 != weight*total {
				t.Fatalf("split %+v is not %d %% of %d", position, weight, total)
			}
			return
		}
		lower, upper := NearestWeights(weight, total)
		if lower >= weight || upper <= weight || lower < 0 || upper > 100 {
			t.Fatalf("neighbours %d and %d of %d %% with %d pods", lower, upper, weight, total)
		}
		for between := lower; between <= upper; between++ {
			_, err := Split(1, between, total, 0)
			if expressible := between == lower || between == upper; expressible != (err == nil) {
				t.Fatalf("%d %% of %d pods: %v", between, total, err)
			}
		}
	})
}

func TestSingle(t *testing.T) {
	if got, err := Single(2); err != nil || got != (Position{Stable: 2}) {
		t.Errorf("Single(2) = %+v, %v", got, err)
	}
	if _, err := Single(0); err == nil {
		t.Error("Single(0) was accepted")
	}
}

func TestAtHundredPercentStableStandsBy(t *testing.T) {
	position, err := Split(4, 100, 10, 2)
	if want := (Position{Week: 4, Weight: 100, Stable: 2, Canary: 10, Warm: true}); err != nil || position != want {
		t.Errorf("%+v, %v", position, err)
	}
	if position.Capacity() != 10 {
		t.Errorf("pods without requests count as capacity: %d", position.Capacity())
	}
}

func TestWeighKeepsStableWhole(t *testing.T) {
	for weight, canary := range map[int]int{0: 0, 1: 1, 10: 1, 15: 2, 33: 4, 100: 10} {
		position, err := Weigh(1, weight, 10, 10)
		if err != nil || position.Stable != 10 || position.Canary != canary {
			t.Errorf("at %d %%: %+v, %v; want %d canary pods", weight, position, err, canary)
		}
	}
	for weight, stable := range map[int]int{0: 10, 10: 9, 33: 7, 90: 2, 100: 2} {
		position, err := Weigh(1, weight, 10, 2)
		if err != nil || position.Stable != stable {
			t.Errorf("at %d %% with 2 kept: %+v, %v; want %d stable pods", weight, position, err, stable)
		}
	}
	for _, wrong := range [][3]int{{101, 10, 10}, {-1, 10, 10}, {10, 0, 0}, {10, 10, 11}, {10, 10, -1}} {
		if position, err := Weigh(1, wrong[0], wrong[1], wrong[2]); err == nil {
			t.Errorf("%v is accepted: %+v", wrong, position)
		}
	}
}

// For any number kept, the pods of a track are at least its share of the total, and no more than a pod above it unless
// they are kept.
func TestWeighGivesEachTrackItsShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 1000).Draw(t, "total")
		kept := rapid.IntRange(0, total).Draw(t, "kept")
		weight := rapid.IntRange(0, 100).Draw(t, "weight")
		position, err := Weigh(1, weight, total, kept)
		if err != nil {
			t.Fatal(err)
		}
		for _, track := range []struct{ pods, share, kept int }{{position.Stable, 100 - weight, kept},
			{position.Canary, weight, 0}} {
			if track.pods*100 < track.share*total || track.pods < track.kept {
				t.Fatalf("%d pods for %d %% of %d, %d kept", track.pods, track.share, total, track.kept)
			}
			if (track.pods-1)*100 >= track.share*total && track.pods > track.kept {
				t.Fatalf("%d pods are more than %d %% of %d needs", track.pods, track.share, total)
			}
		}
	})
}
