package ledger

import (
	"slices"

	"github.com/vextrus/finance-rollout/internal/identity"
)

// partLatch keeps a configuration out that was rolled back beside the image that stable ran: each of its parts that
// differed from stable's.
type partLatch struct {
	entry Entry
	parts []identity.Change
}

// engage latches what was on trial, that is each part by which the release differed from stable. A new image is
// latched whatever configuration comes with it, and the configuration that came with it is a suspect: see
// [State.Suspects]. Where the image was stable's, its configuration is latched. Without identities, as in the entries
// of earlier versions, it is the image.
//
// A change by the express lane is on trial for itself: where the pods that are rolled back had it, its parts are
// latched, and not the release that it came to.
func (s *State) engage(entry Entry) {
	changes := identity.Changes(s.StableIdentity, s.identityOf(entry.Image))
	if express := s.Express; express != nil && s.Weight > 0 && entry.Identity == express.Identity &&
		entry.Image == express.Image {
		changes = identity.Changes(s.Identity, s.identities[express.Identity])
	}
	if len(changes) == 0 || changes[0].Part == identity.Image {
		s.latches[entry.Image] = entry
		return
	}
	s.partLatches = append(s.partLatches, partLatch{entry: entry, parts: changes})
}

// release opens the latch that an entry engaged.
func (s *State) release(seq int) {
	for image, latch := range s.latches {
		if latch.Seq == seq {
			delete(s.latches, image)
		}
	}
	s.partLatches = slices.DeleteFunc(s.partLatches, func(latch partLatch) bool { return latch.entry.Seq == seq })
}

// Latch is the entry that keeps an image out of traffic, with the configuration that it was on trial with last. A
// rollback without an outcome keeps it out as well, whatever it latches. The second result is false if there is none.
func (s State) Latch(image string) (Entry, bool) {
	if s.Unfinished != nil && s.Unfinished.Image == image {
		return *s.Unfinished, true
	}
	if entry, ok := s.latches[image]; ok {
		return entry, true
	}
	entry, parts := s.LatchedParts(s.identityOf(image))
	return entry, len(parts) > 0
}

// LatchOn is the entry that keeps pods out of traffic that run an image and are made of an identity, by its short form.
// It tells pods of a change that the express lane carried from those of the release without it. Of pods that do not
// say what they are made of, the image decides. The second result is false if there is none.
func (s State) LatchOn(image, identity string) (Entry, bool) {
	if entry, latched := s.Latch(image); latched {
		return entry, true
	}
	entry, parts := s.LatchedParts(s.identities[identity])
	return entry, len(parts) > 0
}

// ConfigurationLatch is the newest entry that keeps a part of a configuration out, and the parts that stable does not
// have. The image is that of the release that was rolled back; empty for any. The last result is false if there is
// none.
func (s State) ConfigurationLatch(image string) (Entry, []identity.Change, bool) {
	for _, latch := range slices.Backward(s.partLatches) {
		if image != "" && latch.entry.Image != image {
			continue
		}
		kept := slices.DeleteFunc(slices.Clone(latch.parts), func(part identity.Change) bool {
			return s.StableIdentity[part.Part] == part.To
		})
		if len(kept) > 0 {
			return latch.entry, kept, true
		}
	}
	return Entry{}, nil, false
}

// Engaged reports whether the latch that an entry engaged is still closed.
func (s State) Engaged(seq int) bool {
	for _, latch := range s.latches {
		if latch.Seq == seq {
			return true
		}
	}
	return slices.ContainsFunc(s.partLatches, func(latch partLatch) bool { return latch.entry.Seq == seq })
}

// LatchOf is the entry that keeps a release out of traffic: its image, or a part of its configuration. An identity
// that is unknown is judged by its image. The parts are those of the configuration that are latched; none where the
// image is.
func (s State) LatchOf(image string, release identity.Identity) (entry Entry, parts []identity.Change, latched bool) {
	if entry, ok := s.latches[image]; ok {
		return entry, nil, true
	}
	entry, parts = s.LatchedParts(release)
	return entry, parts, len(parts) > 0
}

// LatchedParts are the parts of a configuration that a rollback keeps out, and the entry of that rollback. A part
// that is as stable has it is never kept out.
func (s State) LatchedParts(release identity.Identity) (Entry, []identity.Change) {
	if release == nil {
		return Entry{}, nil
	}
	for _, latch := range slices.Backward(s.partLatches) {
		var parts []identity.Change
		for _, part := range latch.parts {
			if release[part.Part] == part.To && s.StableIdentity[part.Part] != part.To {
				parts = append(parts, part)
			}
		}
		if len(parts) > 0 {
			return latch.entry, parts
		}
	}
	return Entry{}, nil
}

// Suspects are the parts of the configuration that were new beside a new image when it was rolled back.
func (s State) Suspects(latch Entry) []identity.Change {
	if s.latches[latch.Image].Seq != latch.Seq || s.Image != latch.Image {
		return nil
	}
	changes := identity.OfConfiguration(identity.Changes(s.StableIdentity, s.Identity))
	return changes
}
