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
	// Configuration is the short form of everything else that shapes the pods of the canary, and StableConfiguration of
	// those of the stable track; empty where they are unknown.
	Configuration, StableConfiguration string
	// Identity is the short form of the canary with its image; empty where it is unknown.
	Identity string
	// Stable is the digest that the stable track ran last; empty before the first update. Former are the digests that it
	// ran before.
	Stable string
	Former []string
	// FormerConfigurations are the short forms of what the stable track was configured with beside each of those images,
	// by the image; absent where it is unknown.
	FormerConfigurations map[string]string
	// Begun is the target of a shift that the gate allowed and that is not complete; nil for none.
	Begun *Target
}

// Target is the configured position.
type Target struct {
	// Weight is the canary's share of the requests in percent; Canary and Stable are digests. Canary may be empty at
	// weight 0.
	Weight         int
	Canary, Stable string
	// Configuration is the short form of everything else that shapes the pods of the canary, and StableConfiguration of
	// what the stable track gets by this move: what it has, unless the move finishes. Both are empty where unknown.
	Configuration, StableConfiguration string
	// Finish is the identity that stable is to take where the image alone does not say that the move finishes; empty for
	// none.
	Finish string
}

// isAnother reports whether two configurations differ. One that is unknown differs from none.
func isAnother(one, other string) bool { return one != "" && other != "" && one != other }

// replaces reports whether the target has another release on the canary track than the position: another image, or
// another configuration.
func (at Standing) replaces(to Target) bool {
	return at.Canary != to.Canary || isAnother(at.Configuration, to.Configuration)
}

// Kind is the kind of a move.
type Kind string

// Kinds of moves.
const (
	// Stay keeps weight and images as they are.
	Stay Kind = "stay"
	// Enter gives a new release its first requests: a new image, or a changed configuration.
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
// any weight, to a new release from 0 or within the first stage, and from 100 % to the finish. A changed configuration
// is a new release as a new image is. Any other move is an *IllegalError.
func (s Stages) Move(at Standing, to Target) (Move, error) {
	move := Move{From: at.Weight, To: to.Weight}
	if err := s.stableMove(at, to); err != nil {
		return move, err
	}
	switch {
	case at.Finishes(to):
		move.Kind = Finish
	case to.Weight == 0 && at.Weight == 0:
		move.Kind = Stay
	case to.Weight == 0:
		move.Kind = Retreat
	case at.resumes(to):
		move.Kind = Resume
	case at.replaces(to) || at.isDisplaced() && to.Weight >= at.Weight:
		return s.enter(at, to, move)
	case to.Weight == at.Weight:
		move.Kind = Stay
	case to.Weight < at.Weight:
		move.Kind = Retreat
	case at.Begun != nil && at.Begun.Weight < at.Weight:
		return move, s.unfinished(at, to)
	case at.Weight == 0 && to.Weight <= s[0]:
		move.Kind = Enter
	case to.Weight <= s.Next(at.Weight):
		move.Kind = Advance
	default:
		return move, s.illegal(at, fmt.Sprintf("%d %% -> %d %%", at.Weight, to.Weight))
	}
	return move, nil
}

// resumes reports whether the target is that of the shift under way, and more than its release has.
func (at Standing) resumes(to Target) bool {
	begun := at.Begun
	if begun == nil || begun.Canary != to.Canary || isAnother(begun.Configuration, to.Configuration) ||
		to.Weight != begun.Weight {
		return false
	}
	return to.Weight > at.weightOf(to)
}

// isDisplaced reports whether a shift under way has given the canary track to another release than the one that has
// passed its gate. That one has lost its pods, and enters again where it is to come back.
func (at Standing) isDisplaced() bool {
	begun := at.Begun
	return begun != nil && at.Weight > 0 && begun.Weight > 0 && at.replaces(*begun)
}

// weightOf is the current weight of the target's release.
func (at Standing) weightOf(to Target) int {
	if at.replaces(to) {
		return 0
	}
	return at.Weight
}

// enter judges a new release. It may replace one at no more than the first stage's weight, and get no more itself.
func (s Stages) enter(at Standing, to Target, move Move) (Move, error) {
	if at.Weight <= s[0] && to.Weight <= s[0] {
		move.From, move.Kind = 0, Enter
		return move, nil
	}
	requested := fmt.Sprintf("a new canary image (%s) at %d %%", short(to.Canary), to.Weight)
	if at.Canary == to.Canary {
		requested = fmt.Sprintf("a changed configuration (%s, on trial is %s) at %d %%", to.Configuration, at.Configuration,
			to.Weight)
	}
	return move, s.illegal(at, requested)
}

// Finishes reports whether the target makes the release that has all requests the stable one. Its image as the stable
// one says so. Where stable has that image already, because the configuration alone was on trial, the way down to 0 %
// looks the same, and the target names the identity: without it, going down needs no evidence, as from any weight.
func (at Standing) Finishes(to Target) bool {
	if to.Weight > 0 || at.Weight < 100 || at.Canary == "" || to.Stable != at.Canary {
		return false
	}
	return at.Stable != at.Canary || to.Finish != "" && to.Finish == at.Identity
}

// stableMove judges the stable image. It changes only when a release finishes, or back to an earlier stable image: no
// image reaches every customer without having been a canary.
//
// Its configuration changes when a release finishes alone, to just the one that passed, and back with a former image.
func (s Stages) stableMove(at Standing, to Target) error {
	if at.Finishes(to) {
		if isAnother(at.Configuration, to.StableConfiguration) {
			return s.illegal(at, fmt.Sprintf("finishing with another configuration (%s) than the one that passed (%s)",
				to.StableConfiguration, at.Configuration))
		}
		return nil
	}
	if at.Stable != "" && isAnother(at.StableConfiguration, to.StableConfiguration) && !at.returns(to) {
		return s.illegal(at, fmt.Sprintf("another configuration (%s) of the stable track, which has %s,",
			to.StableConfiguration, at.StableConfiguration))
	}
	if at.Stable == "" || to.Stable == at.Stable || slices.Contains(at.Former, to.Stable) {
		return nil
	}
	// A tag that was pushed over reads as a new image.
	return s.illegal(at, fmt.Sprintf("a new stable image (%s) at %d %%", short(to.Stable), to.Weight),
		fmt.Sprintf("the stable image that runs, by its digest (stableImage REPOSITORY@%s)", at.Stable))
}

// returns reports whether the target gives the stable track a former image and just the configuration that it had then.
func (at Standing) returns(to Target) bool {
	return to.Stable != at.Stable && slices.Contains(at.Former, to.Stable) &&
		to.StableConfiguration == at.FormerConfigurations[to.Stable]
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

// illegal is the error of a move, with the moves that are legal and those that are so beside them.
func (s Stages) illegal(at Standing, requested string, further ...string) error {
	position := fmt.Sprintf("the rollout stands at %d %%", at.Weight)
	if at.Canary != "" {
		position += " with " + short(at.Canary)
	}
	var legal []string
	switch {
	case at.Canary == "" || at.Weight == 0:
		legal = append(legal, fmt.Sprintf("an image at 1 to %d %%", s[0]))
	case at.Weight < 100:
		legal = append(legal, fmt.Sprintf("the same image at up to %d %%", s.Next(at.Weight)))
	case at.Stable == at.Canary && at.Identity != "":
		legal = append(legal, fmt.Sprintf("finishing (finish %s, canaryWeight 0)", at.Identity))
	default:
		legal = append(legal, fmt.Sprintf("finishing (stableImage %s, canaryWeight 0)", short(at.Canary)))
	}
	if at.Weight > 0 {
		legal = append(legal, "any lower weight")
		if at.Weight <= s[0] {
			legal = append(legal, fmt.Sprintf("a new image or configuration at 1 to %d %%", s[0]))
		}
	}
	return &IllegalError{Requested: requested, Position: position, Legal: append(legal, further...)}
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
