package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// SmokeSuite loads the stack's suite, whose path begins in the project's folder dir, and makes the values that its
// requests need. The settings must hold the stack's secrets.
func SmokeSuite(s *settings.Settings, dir string, getenv func(string) string, now time.Time) (*smoke.Suite,
	smoke.Values, error) {
	suite, err := smoke.Load(smoke.Find(dir, s.Smoke.Suite))
	if err != nil {
		return nil, smoke.Values{}, fmt.Errorf("config smoke.suite: %w", err)
	}
	secret, _ := s.Secret(s.Smoke.TokenFrom)
	tokens, err := smoke.NewTokens([]byte(secret.Reveal()), getenv(tokenVariable(s.Environment)), now)
	if err != nil {
		return nil, smoke.Values{}, fmt.Errorf("%s: %w", tokenVariable(s.Environment), err)
	}
	origin := s.Smoke.Origin
	if from, ok := s.Secret(s.Smoke.OriginFrom); ok {
		origin = from.Reveal()
	}
	return suite, tokens.Values(s.Environment, origin), nil
}

// NoteSmokeTest notes in the ledger when the smoke suite sent requests, so that they are no evidence on the release
// that lives. Without one there is nothing to note.
func (r *Rollout) NoteSmokeTest(ctx context.Context, sent gate.Window) error {
	if sent.Start.IsZero() || r.Settings.IsSingle() {
		return nil
	}
	since, until := sent.Start.UTC(), sent.End.UTC()
	_, err := ledger.Append(ctx, r.Ledger(), r.Clock.Now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		state := current.State()
		if state.Living() == "" {
			return nil, nil
		}
		return []ledger.Entry{{Kind: ledger.SmokeTested, Who: r.Who, Release: state.Living(), Image: state.LivingImage(),
			Since: &since, Until: &until}}, nil
	})
	if err != nil {
		return fmt.Errorf("note that the smoke suite's requests are no evidence: %w", err)
	}
	return nil
}

// tokenVariable is the environment variable that a token for the smoke suite is taken from.
func tokenVariable(environment string) string {
	if environment == "production" {
		return "PROD_JWT_TOKEN"
	}
	return strings.ToUpper(strings.ReplaceAll(environment, "-", "_")) + "_JWT_TOKEN"
}

// Verification says how the subject is verified: by its smoke suite alone until the caller adds a bake.
func (r *Rollout) Verification(subject Subject, image string) (verify.Options, error) {
	s := r.Settings
	suite, values, err := SmokeSuite(s, r.Dir, r.Getenv, r.Clock.Now())
	if err != nil {
		return verify.Options{}, err
	}
	options := verify.Options{
		Namespace: s.Namespace, Deployment: subject.Deployment(s), Port: int(s.Container),
		Release: subject.Version, Image: image, Track: subject.Track, Stack: s.StackName(),
		RecordName: names.Verification(s.App),
		Suite:      suite, Values: values, SmokeTimeout: time.Duration(s.Smoke.Timeout), Now: r.Clock.Now,
	}
	if subject.Track == names.Canary {
		options.Beside = StableDeployment(s)
	}
	return options, nil
}
