package ledger

import (
	"testing"
	"time"
)

// An approval is for one image and one stage, and ends when the weight goes down; a lowered weight is known until it
// is raised.
func TestApprovalsAndLoweredWeights(t *testing.T) {
	const a, b = "sha256:a", "sha256:b"
	shift := func(image string, from, to int) []Entry {
		entry := Entry{Kind: ShiftBegun, Release: "v2", Image: image, Stable: "sha256:0", From: from, To: to}
		reached := entry
		reached.Kind = ShiftReached
		return []Entry{entry, reached}
	}
	approved := func(image string, to int) []Entry {
		return []Entry{{Kind: Approved, Image: image, To: to, Who: "anna"}}
	}
	for name, tt := range map[string]struct {
		steps    [][]Entry
		approved map[string][]int
		lowered  string // the image, empty for none
	}{
		"ahead of the stage": {[][]Entry{shift(a, 0, 10), approved(a, 60), shift(a, 10, 30)},
			map[string][]int{a: {60}}, ""},
		"before it enters":     {[][]Entry{approved(a, 10), shift(a, 0, 10)}, map[string][]int{a: {10}}, ""},
		"of another image":     {[][]Entry{approved(a, 10), shift(b, 0, 10)}, map[string][]int{a: {10}}, ""},
		"down again":           {[][]Entry{shift(a, 0, 10), approved(a, 30), shift(a, 10, 30), shift(a, 30, 10)}, nil, a},
		"down, and half done":  {[][]Entry{shift(a, 0, 10), shift(a, 10, 30), shift(a, 30, 10)[:1]}, nil, a},
		"down, and up again":   {[][]Entry{shift(a, 0, 10), shift(a, 10, 5), shift(a, 5, 10)}, nil, ""},
		"out":                  {[][]Entry{shift(a, 0, 10), approved(a, 30), shift(a, 10, 0)}, nil, a},
		"out, and another one": {[][]Entry{shift(a, 0, 10), shift(a, 10, 0), shift(b, 0, 10)}, nil, ""},
		"another one with less": {[][]Entry{shift(a, 0, 10), {{Kind: ShiftBegun, Image: b, To: 5},
			{Kind: ShiftReached, Image: b, From: 10, To: 5}}}, nil, ""},
		"rolled back": {[][]Entry{shift(a, 0, 10), approved(a, 30), {{Kind: RollbackBegun, Image: a},
			{Kind: RolledBack, Image: a}}}, nil, ""},
		"finished": {[][]Entry{shift(a, 0, 10), shift(a, 60, 100), {{Kind: ShiftBegun, Image: a, Stable: a, From: 100},
			{Kind: Finished, Image: a, Stable: a, From: 100}}}, nil, ""},
		"a finish, half done": {[][]Entry{shift(a, 0, 10), shift(a, 60, 100),
			{{Kind: ShiftBegun, Image: a, Stable: a, From: 100}}}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			history := &Ledger{}
			for _, step := range tt.steps {
				var err error
				if history, err = history.with(time.Unix(0, 0), step); err != nil {
					t.Fatal(err)
				}
			}
			state := history.State()
			for _, image := range []string{a, b} {
				for _, weight := range []int{10, 30, 60} {
					_, got := state.Approval(image, weight)
					want := false
					for _, listed := range tt.approved[image] {
						want = want || listed == weight
					}
					if got != want {
						t.Errorf("%s approved for %d %%: %t", image, weight, got)
					}
				}
			}
			lowered := ""
			if state.Lowered != nil {
				lowered = state.Lowered.Image
			}
			if lowered != tt.lowered {
				t.Errorf("lowered %q, want %q", lowered, tt.lowered)
			}
		})
	}
}
