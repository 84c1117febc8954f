package ledger

import (
	"maps"
	"slices"

	"github.com/vextrus/finance-rollout/internal/identity"
)

// OnTrial is the identity of the canary: of the shift under way where one gives it requests, else of the last one. It
// is nil where the ledger does not know it.
func (s State) OnTrial() identity.Identity {
	if s.Begun != nil && s.Begun.To > 0 {
		return s.identities[s.Begun.Identity]
	}
	return s.Identity
}

// Finishes reports whether a shift to 0 % makes the release the stable one. Where the configuration alone is on trial,
// stable has the image already, and the identities tell a finish from the way down.
func (e Entry) Finishes() bool {
	return e.Kind == Finished || e.To == 0 && e.Stable == e.Image && e.Identity == e.StableIdentity
}

// Knows reports whether an entry holds the parts of an identity.
func (s State) Knows(hash string) bool {
	_, known := s.identities[hash]
	return known
}

// Known gives the parts of an identity by its short form; nil where no entry holds them.
func (s State) Known(hash string) identity.Identity { return s.identities[hash] }

// Unknown are the identities that no entry holds yet, for the entry that is about to be written; nil for none.
func (s State) Unknown(identities ...identity.Identity) map[string]identity.Identity {
	var unknown map[string]identity.Identity
	for _, one := range identities {
		hash := one.Hash()
		if hash == "" || s.Knows(hash) {
			continue
		}
		if unknown == nil {
			unknown = map[string]identity.Identity{}
		}
		unknown[hash] = maps.Clone(one)
	}
	return unknown
}

// isAnother reports whether the canary has another identity than the ledger knows of it. An identity that is unknown
// is none: that of an earlier version is adopted.
func (s *State) isAnother(hash string) bool {
	return hash != "" && s.Identity != nil && s.Identity.Hash() != hash
}

// identify gives the tracks the identities of an entry. It moves nothing, and the soak goes on.
func (s *State) identify(entry Entry) {
	if known := s.identities[entry.Identity]; known != nil {
		s.Identity = known
		if s.Begun != nil {
			begun := *s.Begun
			begun.Identity = entry.Identity
			s.Begun = &begun
		}
	}
	s.settle(entry.StableIdentity)
}

// settle records what the stable track runs.
func (s *State) settle(hash string) {
	settled := s.identities[hash]
	if settled == nil || settled.Hash() == s.StableIdentity.Hash() {
		return
	}
	if s.StableIdentity != nil {
		s.former[s.StableIdentity[identity.Image]] = s.StableIdentity
	}
	s.FormerIdentity, s.StableIdentity = s.StableIdentity, settled
}

// Formerly is what the stable track ran last with an image that it has no more; nil where the ledger does not know it.
func (s State) Formerly(image string) identity.Identity { return s.former[image] }

// ExpressBy is the entry by which a change with this reason came to both tracks last. The second result is false if
// there is none. A reason is good for one change.
func (s State) ExpressBy(reason string) (Entry, bool) {
	for _, entry := range slices.Backward(s.expressed) {
		if entry.Reason == reason {
			return entry, true
		}
	}
	return Entry{}, false
}

// identityOf is the identity with which an image was on trial last; nil where the ledger does not know it.
func (s *State) identityOf(image string) identity.Identity {
	if s.Express != nil && s.Weight == 0 && s.Express.Image == image {
		return s.identities[s.Express.Identity]
	}
	if s.Begun != nil && s.Begun.Image == image && s.Begun.To > 0 {
		return s.identities[s.Begun.Identity]
	}
	if s.Image == image {
		return s.Identity
	}
	return nil
}
