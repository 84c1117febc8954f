package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Standing is a rollout's last known position.
type Standing struct {
	// Weight is the canary's share of the requests in percent. Canary is the digest of the image with that share; it is
	// empty before the first canary.
	Weight int
	Canary string
	// Stable is the digest that the stable track ran last; empty before the first update. Former are the digests that it
	// ran before.
	Stable string
	Former []string
	// Begun is the target of a shift that the gate allowed and that is not complete; nil for none.
	Begun *Target
}

// Target is the configured position.
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
	// Resume completes a shift that the gate allowed before and that was interrupted.
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

// Raises reports whether the move gives an image more requests than it has. Such a move needs evidence.
func (m Move) Raises() bool { return m.Kind == Enter || m.Kind == Advance || m.Kind == Resume }

// IsUpward reports whether the move goes up: it raises, or it makes the image that had all requests the stable one and
// with it takes the way back away.
func (m Move) IsUpward() bool { return m.Raises() || m.Kind == Finish }

// String names the move for people.
func (m Move) String() string {
	kind := m.Kind
	if kind == "" {
		kind = "the move" // an illegal move has no kind
	}
	return fmt.Sprintf("%s from %d %% to %d %%", kind, m.From, m.To)
}

// IllegalError is the error of a move that the plan does not allow.
type IllegalError struct {
	// Requested is the move, Position where the rollout stands, Legal the moves that the plan allows from there.
	Requested, Position string
	Legal               []string
}

// Error names the requested move, the rollout's position and the legal moves.
func (e *IllegalError) Error() string {
	return fmt.Sprintf("%s is not a legal move: %s; legal moves are %s", e.Requested, e.Position,
		strings.Join(e.Legal, ", or "))
}

// Move classifies the move from the rollout's position to the target. Legal moves go up by at most one stage, down to
// any weight, to a new image from 0 or within the first stage, and from 100 % to the finish. Any other move is an
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

// weightOf is the current weight of an image.
func (at Standing) weightOf(digest string) int {
	if at.Canary == digest {
		return at.Weight
	}
	return 0
}

// enter judges a new image. It may replace an image at no more than the first stage's weight, and get no more itself.
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

// stableMove judges the stable image. It changes only when a release finishes, or back to an earlier stable image: no
// image reaches every customer without having been a canary.
func (s Stages) stableMove(at Standing, to Target) error {
	if at.Stable == "" || to.Stable == at.Stable || finishes(at, to) || slices.Contains(at.Former, to.Stable) {
		return nil
	}
	return s.illegal(at, fmt.Sprintf("a new stable image (%s) at %d %%", short(to.Stable), to.Weight))
}

// unfinished refuses to raise the weight while a shift down is incomplete: the number of pods is unknown until then.
func (s Stages) unfinished(at Standing, to Target) error {
	return &IllegalError{
		Requested: fmt.Sprintf("%d %% -> %d %%", at.Weight, to.Weight),
		Position:  fmt.Sprintf("the shift down from %d %% to %d %% is incomplete", at.Weight, at.Begun.Weight),
		Legal: []string{fmt.Sprintf("completing it at %d %%", at.Begun.Weight), fmt.Sprintf("staying at %d %%", at.Weight),
			"any lower weight"},
	}
}

func (s Stages) illegal(at Standing, requested string) error {
	position := fmt.Sprintf("the rollout stands at %d %%", at.Weight)
	if at.Canary != "" {
		position += " with " + short(at.Canary)
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
	return &IllegalError{Requested: requested, Position: position, Legal: legal}
}

// short is a digest cut to the length that people compare.
func short(digest string) string {
	name, hash, ok := strings.Cut(digest, ":")
	if !ok || len(hash) <= shortHash {
		return digest
	}
	return name + ":" + hash[:shortHash]
}

const shortHash = 12
