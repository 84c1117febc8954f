package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/identity"
)

// State is the rollout's position by its ledger.
type State struct {
	// Weight is the canary's share in percent, Image its digest and Release its name.
	Weight  int
	Image   string
	Release string
	// Stable is the digest that the stable track ran last, Former those before it.
	Stable string
	Former []string
	// Identity is what the canary was made of last, StableIdentity what the stable track runs, and FormerIdentity what it
	// ran before; nil where the ledger does not know it.
	Identity, StableIdentity, FormerIdentity identity.Identity
	// Settled is true once a position has passed its gate: what stable runs has been seen to work.
	Settled bool
	// Begun is the shift that the gate allowed and that is not complete; nil for none.
	Begun *Entry
	// Express is the change that the express lane carries and that stable does not have yet; nil for none.
	Express *Entry
	// SoakSince is when the current weight and image were reached; zero without a soak.
	SoakSince time.Time
	// Extensions is how often the current soak was extended.
	Extensions int
	// LastCheckpoint is the time of the current soak's last checkpoint; zero for none.
	LastCheckpoint time.Time
	// SmokeTests are the times in which the smoke suite sent requests to the service, the oldest first.
	SmokeTests []Span
	// Quarantine is the entry by which the canary is out of traffic for a while; nil while it is not. Readmission is the
	// entry that ended the last one of the current image; nil for none.
	Quarantine, Readmission *Entry
	// Isolated is the time in ended quarantines since SoakSince.
	Isolated time.Duration
	// Unfinished is a rollback that began and has no recorded outcome; nil for none.
	Unfinished *Entry
	// Raised is when the last shift began that gave an image more requests, whatever became of it; zero for none.
	Raised time.Time
	// Lowered is the last shift, if it took the weight of the current image down; nil after a shift up, a finish or a
	// rollback.
	Lowered *Entry

	// Guard is the entry with the configuration that the guard was given last; nil where the ledger does not tell.
	Guard *Entry
	// Terms are what the release that lives is judged by since the last shift or the last change; nil where the ledger
	// does not tell.
	Terms *Terms

	// displaced is true once a shift has begun that gives the canary track to another release: the pods of the one that
	// had passed its gate are gone, and what the track counts from then on is not its evidence.
	displaced    bool
	expressed    []Entry
	latches      map[string]Entry
	partLatches  []partLatch
	identities   map[string]identity.Identity
	former       map[string]identity.Identity
	approved     map[int]Entry
	attested     map[string]Entry
	soakEntry    int
	interruption int
}

// Span is a time from its start to its end.
type Span struct{ Start, End time.Time }

// OutOfTraffic is the time since SoakSince that the canary was in quarantine, up to now. It is not soaked time.
func (s State) OutOfTraffic(now time.Time) time.Duration {
	if s.Quarantine == nil {
		return s.Isolated
	}
	return s.Isolated + max(now.Sub(s.quarantinedSince()), 0)
}

// quarantinedSince is when the quarantine under way began, or the soak if that is later.
func (s State) quarantinedSince() time.Time {
	if s.Quarantine.Time.Before(s.SoakSince) {
		return s.SoakSince
	}
	return s.Quarantine.Time
}

// Interruption is the number of the last entry that changed the cluster behind the back of the stack's state: a
// rollback, or a shift that its update did not complete; 0 for none. If the number differs from the previous update's,
// an update has work to do even where the stack's state shows no change.
func (s State) Interruption() int {
	if s.Begun != nil {
		return s.Begun.Seq
	}
	return s.interruption
}

// Attested is the newest attestation of a name. The second result is false if there is none.
func (s State) Attested(name string) (Entry, bool) {
	entry, ok := s.attested[name]
	return entry, ok
}

// Approval is the approval of an image for the stage of a weight. The second result is false if there is none. An
// approval ends when the weight goes down: what was learned until then may have changed the approver's mind.
func (s State) Approval(image string, weight int) (Entry, bool) {
	entry, ok := s.approved[weight]
	return entry, ok && entry.Image == image
}

// Shift is the number of the entry of the shift under way; 0 for none.
func (s State) Shift() int {
	if s.Begun == nil {
		return 0
	}
	return s.Begun.Seq
}

// Living is the name of the release that lives: it has requests, a shift gives it some, or its rollback has no outcome
// yet. It is empty when none lives. A release that lives keeps its name.
func (s State) Living() string {
	switch {
	case s.Begun != nil && s.Begun.To > 0:
		return s.Begun.Release
	case s.Weight > 0:
		return s.Release
	case s.Unfinished != nil:
		return s.Unfinished.Release
	default:
		return ""
	}
}

// Last is the name of the release that was on the canary track last, whether it lives or not; empty for none.
func (s State) Last() string {
	if s.Begun != nil && s.Begun.Release != "" {
		return s.Begun.Release
	}
	return s.Release
}

// LivingImage is the digest of the release that lives; empty when none does.
func (s State) LivingImage() string {
	switch {
	case s.Begun != nil && s.Begun.To > 0:
		return s.Begun.Image
	case s.Weight > 0:
		return s.Image
	case s.Unfinished != nil:
		return s.Unfinished.Image
	default:
		return ""
	}
}

// LastMove is the last entry of a shift, a finish or a rollback. The second result is false if there is none.
func (l *Ledger) LastMove() (Entry, bool) {
	for _, entry := range slices.Backward(l.entries) {
		switch entry.Kind {
		case ShiftBegun, ShiftReached, Finished, RollbackBegun, RolledBack:
			return entry, true
		}
	}
	return Entry{}, false
}

// State derives the rollout's position from the history.
func (l *Ledger) State() State {
	s := newState()
	for _, entry := range l.entries {
		s.apply(entry)
	}
	return s
}

func newState() State {
	return State{latches: map[string]Entry{}, attested: map[string]Entry{}, approved: map[int]Entry{},
		identities: map[string]identity.Identity{}, former: map[string]identity.Identity{}}
}

// Walk visits every entry, the oldest first, with the state that the entries before it make. The state is valid until
// visit returns.
func (l *Ledger) Walk(visit func(before State, entry Entry)) {
	s := newState()
	for _, entry := range l.entries {
		visit(s, entry)
		s.apply(entry)
	}
}

func (s *State) apply(entry Entry) {
	s.remember(entry)
	switch entry.Kind {
	case ShiftBegun:
		s.begin(entry)
	case ShiftReached, Finished:
		s.reach(entry)
	case Checkpoint:
		s.LastCheckpoint = entry.Time
	case Checkpoints:
		if entry.Until != nil {
			s.LastCheckpoint = *entry.Until
		}
	case Extended:
		s.Extensions += max(entry.Folded, 1)
	case SmokeTested:
		if entry.Since != nil && entry.Until != nil {
			s.SmokeTests = append(s.SmokeTests, Span{Start: *entry.Since, End: *entry.Until})
		}
	case RollbackBegun:
		begun := entry
		s.engage(entry)
		s.Unfinished = &begun
		s.out(entry)
	case RolledBack:
		// The beginning has engaged the latch, which need not be one of the image.
		if s.Unfinished != nil && s.Unfinished.Image == entry.Image {
			s.Unfinished = nil
		} else if _, ok := s.LatchOn(entry.Image, entry.Identity); !ok {
			s.engage(entry)
		}
		s.out(entry)
	case Identified:
		s.identify(entry)
	case ExpressBegun:
		express := entry
		s.Express = &express
	case Expressed:
		s.identify(entry)
		s.Express, s.expressed = nil, append(s.expressed, entry)
	case Attested:
		s.attested[entry.Name] = entry
	case Approved:
		s.approved[entry.To] = entry
	case Quarantined, Readmitted:
		s.quarantine(entry)
	case Quarantines:
		if entry.Image == s.Image && s.Weight > 0 {
			s.Isolated += time.Duration(entry.Took) * time.Millisecond
		}
	case LatchReleased:
		s.release(entry.Ref)
		if s.Unfinished != nil && s.Unfinished.Seq == entry.Ref {
			s.Unfinished = nil
		}
	}
}

// quarantine takes the canary out for a while, or lets it in again.
func (s *State) quarantine(entry Entry) {
	if entry.Kind == Quarantined {
		if s.Quarantine == nil && entry.Image == s.Image && s.Weight > 0 {
			quarantined := entry
			s.Quarantine = &quarantined
		}
		return
	}
	if s.Quarantine != nil && entry.Image == s.Quarantine.Image {
		readmitted := entry
		s.Isolated = s.OutOfTraffic(entry.Time)
		s.Quarantine, s.Readmission = nil, &readmitted
	}
}

// remember keeps what counts until a later entry says otherwise.
func (s *State) remember(entry Entry) {
	for hash, parts := range entry.Identities {
		s.identities[hash] = parts
	}
	if entry.Terms != nil && (entry.Kind == ShiftBegun || entry.Kind == ShiftReached || entry.Kind == LimitsChanged) {
		s.Terms = entry.Terms
	}
	if entry.Kind == GuardConfigured {
		s.Guard = &entry
	}
}

func (s *State) begin(entry Entry) {
	begun := entry
	s.Begun, s.Express = &begun, nil
	if entry.To > entry.From {
		s.Raised = entry.Time
	}
	s.displaced = s.displaced || s.Weight > 0 && entry.To > 0 && (entry.Image != s.Image || s.isAnother(entry.Identity))
	s.turn(entry, entry.From)
	if s.Stable == "" {
		s.Stable = entry.Stable
	}
}

// turn notes which way a shift goes from a weight. A finish takes the weight away from the canary and not from the
// release.
func (s *State) turn(entry Entry, from int) {
	switch {
	case entry.Finishes():
		s.Lowered = nil
	case entry.To < from:
		lowered := entry
		s.Lowered, s.approved = &lowered, map[int]Entry{}
	case entry.To > from:
		s.Lowered = nil
	}
}

// reach completes a shift. The soak's clock keeps running if weight and identity are unchanged: an update that verifies
// the same position again costs no soaked time. It begins again where another release had the track in between.
func (s *State) reach(entry Entry) {
	if entry.Ref > 0 {
		s.interruption = entry.Ref
	}
	if s.Begun == nil && entry.To > s.Weight {
		s.Raised = entry.Time
	}
	s.Settled = true
	anew := entry.Image != s.Image || s.isAnother(entry.Identity)
	if entry.Image == s.Image || entry.Image == "" {
		s.turn(entry, s.Weight)
	}
	if entry.Image == s.Image && anew {
		// The approvals of higher stages were for another configuration.
		maps.DeleteFunc(s.approved, func(weight int, _ Entry) bool { return weight > entry.To })
	}
	if entry.To != s.Weight || (anew || s.displaced) && entry.To > 0 {
		s.SoakSince, s.soakEntry, s.Extensions, s.LastCheckpoint = entry.Time, entry.Seq, 0, time.Time{}
		s.Isolated = 0
	}
	if entry.Image != "" && anew || entry.To == 0 {
		s.Quarantine, s.Readmission = nil, nil
	}
	s.Weight, s.Begun, s.displaced = entry.To, nil, false
	if entry.Image != "" {
		s.Image, s.Release, s.Identity = entry.Image, entry.Release, s.identities[entry.Identity]
	}
	s.settle(entry.StableIdentity)
	if entry.Stable != "" && entry.Stable != s.Stable {
		if s.Stable != "" && !slices.Contains(s.Former, s.Stable) {
			s.Former = append(s.Former, s.Stable)
		}
		s.Stable = entry.Stable
	}
}

// out records that the canary is out of traffic.
func (s *State) out(entry Entry) {
	s.Identity = s.identityOf(entry.Image)
	s.Weight, s.Image, s.Release, s.Begun, s.interruption = 0, entry.Image, entry.Release, nil, entry.Seq
	s.displaced, s.Express = false, nil
	s.SoakSince, s.soakEntry, s.Extensions, s.LastCheckpoint = time.Time{}, entry.Seq, 0, time.Time{}
	s.Quarantine, s.Readmission, s.Isolated = nil, nil, 0
	s.Lowered, s.approved = nil, map[int]Entry{}
}
