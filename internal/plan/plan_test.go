package plan

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWeightOf(t *testing.T) {
	for week, want := range map[int]int{1: 10, 2: 30, 3: 60, 4: 100} {
		got, err := WeightOf(week)
		if err != nil || got != want {
			t.Errorf("WeightOf(%d) = %d, %v; want %d", week, got, err, want)
		}
	}
	for _, week := range []int{-1, 0, 5} {
		if _, err := WeightOf(week); err == nil || !strings.Contains(err.Error(), "1 to 4") {
			t.Errorf("WeightOf(%d): error %v, want one that names the weeks allowed", week, err)
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
		got, err := Split(1, tt.weight, tt.total)
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("Split(%d %%, %d pods): error %v, want one with %q", tt.weight, tt.total, err, tt.wantErr)
			}
			continue
		}
		want := Position{Week: 1, Weight: tt.weight, Stable: tt.stable, Canary: tt.canary}
		if err != nil || got != want {
			t.Errorf("Split(%d %%, %d pods) = %+v, %v; want %+v", tt.weight, tt.total, got, err, want)
		}
	}
}

// Whatever is asked for, either the pods express it exactly or the refusal names two neighbours that they do express.
func TestSplitIsExactOrNamesExpressibleNeighbours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight := rapid.IntRange(0, 100).Draw(t, "weight")
		total := rapid.IntRange(1, 500).Draw(t, "total")
		position, err := Split(1, weight, total)
		if err == nil {
			if position.Total() != total || position.Canary*100 != weight*total {
				t.Fatalf("split %+v is not %d %% of %d", position, weight, total)
			}
			return
		}
		lower, upper := NearestWeights(weight, total)
		if lower >= weight || upper <= weight || lower < 0 || upper > 100 {
			t.Fatalf("neighbours %d and %d of %d %% with %d pods", lower, upper, weight, total)
		}
		for between := lower; between <= upper; between++ {
			_, err := Split(1, between, total)
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
