package rollout

import (
	"context"
	"strconv"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Named is the settings under the name of the release on trial. A release that lives keeps its name, whatever week or
// name the configuration gives. Otherwise the configuration's name counts. Without one, a release that is at 0 % keeps
// the name that it had as well, so that neither a rollback nor a finish renames what is left of it, and another image
// is called after the week that it enters in.
//
// The image is the digest on the canary track by the configuration, empty where it is unknown or there is none. The
// error says which settings the name of a release that lives does not go with; the settings come with it all the same.
func Named(s *settings.Settings, state ledger.State, image string) (*settings.Settings, error) {
	if s.IsSingle() {
		return s, nil
	}
	s = s.After(state.Last())
	if living := state.Living(); living != "" {
		return s.WithRelease(living)
	}
	stays := image == "" || image == state.Image || s.Position().Weight == 0
	if s.NamedRelease() != "" || state.Release == "" || !stays {
		return s, nil
	}
	if kept, err := s.WithRelease(state.Release); err == nil {
		return kept, nil
	}
	// Nothing has the old name any longer, and something else may have it by now: the stable version, for example.
	return s, nil
}

// Named is the rollout under the name of the release on trial, by [Named]. Where the ledger cannot be read or is
// gone, the name is that of the release record. The rollout comes with an error of [Named] all the same.
func (r *Rollout) Named(ctx context.Context, image string) (*Rollout, error) {
	s := r.Settings
	if s.IsSingle() {
		return r, nil
	}
	state := ledger.State{}
	if history, err := ledger.Read(ctx, r.Ledger()); err == nil && len(history.Entries()) > 0 {
		state = history.State()
	} else if record, _, err := r.Cluster.ConfigMap(ctx, s.Namespace, names.Record(s.App)); err == nil {
		// The readers of the ledger report that it cannot be read; the way down to 0 % needs the name all the same.
		state.Release = record["release"]
		if state.Weight, err = strconv.Atoi(record["weight"]); err != nil {
			return r, nil //nolint:nilerr // there is no record of a release
		}
	}
	named, err := Named(s, state, image)
	return r.With(named), err
}
