package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	oldStable = "sha256:0000000000000000aaaa"
	first     = "sha256:1111111111111111bbbb"
	second    = "sha256:2222222222222222cccc"
)

func TestMove(t *testing.T) {
	at := func(weight int, canary string) Standing {
		return Standing{Weight: weight, Canary: canary, Stable: oldStable}
	}
	to := func(weight int, canary string) Target {
		return Target{Weight: weight, Canary: canary, Stable: oldStable}
	}
	begun := at(10, first)
	begun.Begun = &Target{Weight: 30, Canary: first, Stable: oldStable}
	falling := at(30, first)
	falling.Begun = &Target{Weight: 10, Canary: first, Stable: oldStable}
	entering := at(0, "")
	entering.Begun = &Target{Weight: 10, Canary: first, Stable: oldStable}
	finished := Standing{Weight: 0, Canary: first, Stable: first, Former: []string{oldStable}}
	tests := []struct {
		name string
		at   Standing
		to   Target
		want Kind
		err  string
	}{
		{name: "first canary of an empty ledger", at: Standing{}, to: to(10, first), want: Enter},
		{name: "first canary above the first stage", at: Standing{}, to: to(30, first), err: "an image at 1 to 10 %"},
		{name: "stays", at: at(10, first), to: to(10, first), want: Stay},
		{name: "one stage up", at: at(10, first), to: to(30, first), want: Advance},
		{name: "less than a stage up", at: at(10, first), to: to(20, first), want: Advance},
		{name: "two stages up", at: at(10, first), to: to(60, first), err: "the same image at up to 30 %"},
		{name: "from between two stages", at: at(20, first), to: to(30, first), want: Advance},
		{name: "to the end", at: at(60, first), to: to(100, first), want: Advance},
		{name: "one down", at: at(60, first), to: to(30, first), want: Retreat},
		{name: "all down", at: at(60, first), to: to(0, first), want: Retreat},
		{name: "back in at the first stage", at: at(0, first), to: to(10, first), want: Enter},
		{name: "back in above the first stage", at: at(0, first), to: to(30, first), err: "an image at 1 to 10 %"},
		{name: "new image at the first stage", at: at(10, first), to: to(10, second), want: Enter},
		{name: "new image at a later stage", at: at(30, first), to: to(30, second),
			err: "a new canary image (sha256:222222222222)"},
		{name: "new image while going up", at: at(10, first), to: to(30, second), err: "a new canary image"},
		{name: "new image at 0", at: at(30, first), to: to(0, second), want: Retreat},
		{name: "interrupted shift goes on", at: begun, to: to(30, first), want: Resume},
		{name: "interrupted entry goes on", at: entering, to: to(10, first), want: Resume},
		{name: "interrupted shift goes back", at: begun, to: to(10, first), want: Stay},
		{name: "interrupted shift cannot skip", at: begun, to: to(60, first), err: "60 %"},
		{name: "interrupted way down cannot go up", at: falling, to: to(60, first), err: "completing it at 10 %"},
		{name: "interrupted way down goes on", at: falling, to: to(10, first), want: Retreat},
		{name: "interrupted way down is given up", at: falling, to: to(30, first), want: Stay},
		{name: "finish", at: at(100, first), to: Target{Weight: 0, Stable: first, Canary: first}, want: Finish},
		{name: "finish too early", at: at(60, first), to: Target{Weight: 0, Stable: first, Canary: first},
			err: "a new stable image"},
		{name: "another stable image", at: at(10, first), to: Target{Weight: 10, Canary: first, Stable: second},
			err: "a new stable image (sha256:222222222222)"},
		{name: "a tag of the stable image that was pushed over", at: at(10, first), to: Target{Weight: 10, Canary: first,
			Stable: second}, err: "or the stable image that runs, by its digest (stableImage REPOSITORY@" + oldStable + ")"},
		{name: "back to the former stable image", at: finished, to: Target{Stable: oldStable}, want: Stay},
		{name: "next release after a finish", at: finished, to: Target{Weight: 10, Canary: second, Stable: first},
			want: Enter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DefaultStages().Move(tt.at, tt.to)
			if tt.err != "" {
				if _, illegal := errors.AsType[*IllegalError](err); !illegal || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("move %v, error %v; want one with %q", got, err, tt.err)
				}
				return
			}
			if err != nil || got.Kind != tt.want {
				t.Fatalf("move %v, error %v; want %s", got, err, tt.want)
			}
		})
	}
}

// Going down must be possible from anywhere, and no legal move of an image climbs more than one stage.
func TestMovesClimbOneStageAndAlwaysLeadDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.IntRange(0, 100)
		stages := DefaultStages()
		digest := rapid.SampledFrom([]string{first, second})
		configuration := rapid.SampledFrom([]string{"", "a", "b"})
		standing := Standing{Weight: weights.Draw(t, "from"), Canary: digest.Draw(t, "canary"), Stable: oldStable,
			Configuration: configuration.Draw(t, "configuration")}
		target := Target{Weight: weights.Draw(t, "to"), Canary: digest.Draw(t, "target"), Stable: oldStable,
			Configuration: configuration.Draw(t, "new configuration")}
		move, err := stages.Move(standing, target)
		held := standing.weightOf(target)
		switch {
		case err == nil && target.Weight > stages.Next(held):
			t.Fatalf("%v climbs more than a stage from %d %%", move, held)
		case err == nil && target.Weight > held && !move.Raises():
			t.Fatalf("%v raises without being called so", move)
		case err != nil && (target.Weight == 0 || !standing.replaces(target) && target.Weight <= standing.Weight):
			t.Fatalf("the way down is refused: %v", err)
		}
	})
}

func TestStagesAreChecked(t *testing.T) {
	for _, stages := range []Stages{nil, {10}, {10, 10, 100}, {30, 10, 100}, {0, 100}, {50, 101}} {
		if err := stages.Validate(); err == nil {
			t.Errorf("%v is accepted", stages)
		}
	}
	for _, stages := range []Stages{DefaultStages(), {100}, {1, 100}} {
		if err := stages.Validate(); err != nil {
			t.Errorf("%v: %v", stages, err)
		}
	}
}

func TestNextStage(t *testing.T) {
	var got []int
	for _, weight := range []int{0, 10, 15, 60, 99, 100} {
		got = append(got, DefaultStages().Next(weight))
	}
	if want := []int{10, 30, 30, 100, 100, 100}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A finish takes the way back away, so that it counts as a move up although it gives no image more requests.
func TestTheFinishIsUpwardWithoutRaising(t *testing.T) {
	for kind, want := range map[Kind]struct{ raises, upward bool }{
		Stay: {}, Retreat: {}, Enter: {true, true}, Advance: {true, true}, Resume: {true, true}, Finish: {false, true},
	} {
		move := Move{Kind: kind}
		if move.Raises() != want.raises || move.IsUpward() != want.upward {
			t.Errorf("%s: raises %v and is upward %v, want %+v", kind, move.Raises(), move.IsUpward(), want)
		}
	}
}

func TestAMoveNamesItsWeights(t *testing.T) {
	if got, want := (Move{Kind: Advance, From: 10, To: 30}).String(), "advance from 10 % to 30 %"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	illegal, err := DefaultStages().Move(Standing{Weight: 10, Canary: first, Stable: oldStable},
		Target{Weight: 100, Canary: first, Stable: oldStable})
	if got, want := illegal.String(), "the move from 10 % to 100 %"; err == nil || got != want {
		t.Errorf("%q, error %v; want %q", got, err, want)
	}
}

func TestTheFirstStageBoundsAnEntry(t *testing.T) {
	for want, stages := range map[int]Stages{10: DefaultStages(), 100: {100}, 0: nil} {
		if got := stages.First(); got != want {
			t.Errorf("%v: %d, want %d", stages, got, want)
		}
	}
}
