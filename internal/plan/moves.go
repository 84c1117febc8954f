package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Standing is where a rollout is known to stand.
type Standing struct {
	// Weight is the canary's share of the requests in percent and Canary the digest of the image that has it; empty when
	// no canary was ever let in.
	Weight int
	Canary string
	// Stable is the digest that the stable track was last known to run; empty before the first update. Former are the
	// digests that it ran before.
	Stable string
	Former []string
	// Begun is the shift that was let through and not completed, nil when there is none.
	Begun *Target
}

// Target is what the configuration asks for.
type Target struct {
	// Weight is the canary's share of the requests in percent; Canary and Stable are digests. Canary may be empty at
	// weight 0.
	Weight         int
	Canary, Stable string
}

// Kind is the kind of a move.
type Kind string

// Kinds of moves.
const (
	// Stay keeps weight and images as they are.
	Stay Kind = "stay"
	// Enter gives a new image its first requests.
	Enter Kind = "enter"
	// Advance raises the weight of the image that is on trial.
	Advance Kind = "advance"
	// Resume completes a shift that was let through before and interrupted.
	Resume Kind = "resume"
	// Retreat lowers the weight.
	Retreat Kind = "retreat"
	// Finish makes the canary's image the stable one and its weight 0.
	Finish Kind = "finish"
)

// Move is a change of position that the plan allows.
type Move struct {
	Kind     Kind
	From, To int
}

// Raises tells whether the move gives requests to an image that did not have as many: such a move needs evidence.
func (m Move) Raises() bool { return m.Kind == Enter || m.Kind == Advance || m.Kind == Resume }

// String names the move for people.
func (m Move) String() string {
	kind := m.Kind
	if kind == "" {
		kind = "the move" // one that the plan does not allow has no kind
	}
	return fmt.Sprintf("%s from %d %% to %d %%", kind, m.From, m.To)
}

// IllegalError says that the plan does not allow a move, and names those that it does.
type IllegalError struct {
	Asked, Found string
	Legal        []string
}

// Error names what was asked for, where the rollout stands, and the legal moves.
func (e *IllegalError) Error() string {
	return fmt.Sprintf("%s is no legal move: %s; legal are %s", e.Asked, e.Found, strings.Join(e.Legal, ", or "))
}

// Move classifies the way from where the rollout stands to the target. Legal are: up to the next stage at most, down
// to any weight, a new image only from 0 or at the first stage, and after 100 % the finish. Anything else is an
// *IllegalError.
func (s Stages) Move(at Standing, to Target) (Move, error) {
	move := Move{From: at.Weight, To: to.Weight}
	if err := s.stableMove(at, to); err != nil {
		return move, err
	}
	switch {
	case finishes(at, to):
		move.Kind = Finish
	case to.Weight == 0 && at.Weight == 0:
		move.Kind = Stay
	case to.Weight == 0:
		move.Kind = Retreat
	case at.Begun != nil && at.Begun.Canary == to.Canary && to.Weight == at.Begun.Weight &&
		to.Weight > at.weightOf(to.Canary):
		move.Kind = Resume
	case at.Canary != to.Canary:
		return s.enter(at, to, move)
	case to.Weight == at.Weight:
		move.Kind = Stay
	case to.Weight < at.Weight:
		move.Kind = Retreat
	case at.Begun != nil && at.Begun.Weight < at.Weight:
		return move, s.unfinished(at, to)
	case at.Weight == 0 && to.Weight <= s[0]:
		move.Kind = Enter
	case to.Weight <= s.next(at.Weight):
		move.Kind = Advance
	default:
		return move, s.illegal(at, fmt.Sprintf("%d %% -> %d %%", at.Weight, to.Weight))
	}
	return move, nil
}

// weightOf is the weight that an image has now.
func (at Standing) weightOf(digest string) int {
	if at.Canary == digest {
		return at.Weight
	}
	return 0
}

// enter judges a new image. It replaces one that has at most the first stage's share; the first stage is also its own
// most.
func (s Stages) enter(at Standing, to Target, move Move) (Move, error) {
	if at.Weight <= s[0] && to.Weight <= s[0] {
		move.From, move.Kind = 0, Enter
		return move, nil
	}
	return move, s.illegal(at, fmt.Sprintf("a new canary image (%s) at %d %%", short(to.Canary), to.Weight))
}

func finishes(at Standing, to Target) bool {
	return to.Weight == 0 && at.Weight == 100 && at.Canary != "" && to.Stable == at.Canary
}

// stableMove judges the stable image: it changes only by finishing a release, or back to one that it was before.
// Otherwise an image could reach everybody without ever having been a canary.
func (s Stages) stableMove(at Standing, to Target) error {
	if at.Stable == "" || to.Stable == at.Stable || finishes(at, to) || slices.Contains(at.Former, to.Stable) {
		return nil
	}
	return s.illegal(at, fmt.Sprintf("a new stable image (%s) at %d %%", short(to.Stable), to.Weight))
}

// unfinished refuses to raise the weight after a way down that was not completed: the pods may be anywhere on it.
func (s Stages) unfinished(at Standing, to Target) error {
	return &IllegalError{
		Asked: fmt.Sprintf("%d %% -> %d %%", at.Weight, to.Weight),
		Found: fmt.Sprintf("the way down from %d %% to %d %% was begun and is not completed", at.Weight, at.Begun.Weight),
		Legal: []string{fmt.Sprintf("completing it at %d %%", at.Begun.Weight), fmt.Sprintf("staying at %d %%", at.Weight),
			"any lower weight"},
	}
}

func (s Stages) illegal(at Standing, asked string) error {
	found := fmt.Sprintf("the rollout stands at %d %%", at.Weight)
	if at.Canary != "" {
		found += " with " + short(at.Canary)
	}
	var legal []string
	switch {
	case at.Canary == "" || at.Weight == 0:
		legal = append(legal, fmt.Sprintf("an image at 1 to %d %%", s[0]))
	case at.Weight < 100:
		legal = append(legal, fmt.Sprintf("the same image at up to %d %%", s.next(at.Weight)))
	default:
		legal = append(legal, fmt.Sprintf("finishing (stableImage %s, canaryWeight 0)", short(at.Canary)))
	}
	if at.Weight > 0 {
		legal = append(legal, "any lower weight")
		if at.Weight <= s[0] {
			legal = append(legal, fmt.Sprintf("a new image at 1 to %d %%", s[0]))
		}
	}
	return &IllegalError{Asked: asked, Found: found, Legal: legal}
}

// short is a digest as people compare it.
func short(digest string) string {
	name, hash, ok := strings.Cut(digest, ":")
	if !ok || len(hash) <= shortHash {
		return digest
	}
	return name + ":" + hash[:shortHash]
}

const shortHash = 12
