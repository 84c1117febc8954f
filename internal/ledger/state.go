package ledger

import (
	"slices"
	"time"
)

// State is where the rollout stands by its ledger.
type State struct {
	// Weight is the canary's share in percent and Image the digest that has it; Release is its name.
	Weight  int
	Image   string
	Release string
	// Stable is the digest that the stable track last ran by the ledger, Former those before it.
	Stable string
	Former []string
	// Begun is the shift that was let through and not completed; nil when there is none.
	Begun *Entry
	// SoakSince is when the present weight and image were reached; zero without any.
	SoakSince time.Time
	// Extensions is how often the present soak was extended.
	Extensions int
	// LastCheckpoint is when the last checkpoint of the present soak was taken; zero without any.
	LastCheckpoint time.Time
	// Unfinished is the rollback that was begun and whose outcome is not recorded; nil when there is none.
	Unfinished *Entry

	latches      map[string]Entry
	soakEntry    int
	interruption int
}

// Interruption is the number of the last entry that left the cluster otherwise than the update before knows: a
// rollback, or a shift that its own update did not complete; 0 without any. An update that finds another number than
// the one before has work to do, whatever the stack's state tells.
func (s State) Interruption() int {
	if s.Begun != nil {
		return s.Begun.Seq
	}
	return s.interruption
}

// Latch is the entry that keeps an image out; the second result is false when none does.
func (s State) Latch(image string) (Entry, bool) {
	entry, ok := s.latches[image]
	return entry, ok
}

// Shift is the number of the entry with the shift that is under way, 0 without one.
func (s State) Shift() int {
	if s.Begun == nil {
		return 0
	}
	return s.Begun.Seq
}

// LastMove is the last entry that moved the rollout or began to; the second result is false when none did.
func (l *Ledger) LastMove() (Entry, bool) {
	for _, entry := range slices.Backward(l.entries) {
		switch entry.Kind {
		case ShiftBegun, ShiftReached, Finished, RollbackBegun, RolledBack:
			return entry, true
		}
	}
	return Entry{}, false
}

// State derives where the rollout stands.
func (l *Ledger) State() State {
	s := State{latches: map[string]Entry{}}
	for _, entry := range l.entries {
		s.apply(entry)
	}
	return s
}

func (s *State) apply(entry Entry) {
	switch entry.Kind {
	case ShiftBegun:
		s.begin(entry)
	case ShiftReached, Finished:
		s.reach(entry)
	case Checkpoint:
		s.LastCheckpoint = entry.Time
	case Extended:
		s.Extensions++
	case RollbackBegun:
		begun := entry
		s.latches[entry.Image], s.Unfinished = entry, &begun
		s.out(entry)
	case RolledBack:
		if s.Unfinished != nil && s.Unfinished.Image == entry.Image {
			s.Unfinished = nil
		}
		if _, ok := s.latches[entry.Image]; !ok {
			s.latches[entry.Image] = entry
		}
		s.out(entry)
	case LatchReleased:
		for image, latch := range s.latches {
			if latch.Seq == entry.Ref {
				delete(s.latches, image)
			}
		}
		if s.Unfinished != nil && s.Unfinished.Seq == entry.Ref {
			s.Unfinished = nil
		}
	}
}

func (s *State) begin(entry Entry) {
	begun := entry
	s.Begun = &begun
	if s.Stable == "" {
		s.Stable = entry.Stable
	}
}

// reach completes a shift. The soak's clock goes on when weight and image are those of before: an update that
// verifies the same position again, be it for a rotated secret, costs no soaked time.
func (s *State) reach(entry Entry) {
	if entry.Ref > 0 {
		s.interruption = entry.Ref
	}
	if entry.To != s.Weight || entry.Image != s.Image && entry.To > 0 {
		s.SoakSince, s.soakEntry, s.Extensions, s.LastCheckpoint = entry.Time, entry.Seq, 0, time.Time{}
	}
	s.Weight, s.Begun = entry.To, nil
	if entry.Image != "" {
		s.Image, s.Release = entry.Image, entry.Release
	}
	if entry.Stable != "" && entry.Stable != s.Stable {
		if s.Stable != "" && !slices.Contains(s.Former, s.Stable) {
			s.Former = append(s.Former, s.Stable)
		}
		s.Stable = entry.Stable
	}
}

// out takes the canary out, whichever image it was to have.
func (s *State) out(entry Entry) {
	s.Weight, s.Image, s.Release, s.Begun, s.interruption = 0, entry.Image, entry.Release, nil, entry.Seq
	s.SoakSince, s.soakEntry, s.Extensions, s.LastCheckpoint = time.Time{}, entry.Seq, 0, time.Time{}
}
