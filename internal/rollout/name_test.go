package rollout

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

const (
	imageA = "sha256:aaaa"
	imageB = "sha256:bbbb"
)

// tester is the part of [testing.T] that [rapid.T] has too.
type tester interface {
	Context() context.Context
	Fatal(args ...any)
}

// production is a production stack with some changes.
func production(t tester, changes map[string]string) *settings.Settings {
	config := testkit.Config{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "prometheus": "monitoring/prometheus:9090",
		"secretEnv": "{}", "smoke": `{"originFrom":"","tokenFrom":""}`,
	}
	maps.Copy(config, changes)
	s, err := settings.Load("production", config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stateOf is the state of a ledger with the entries.
func stateOf(t tester, entries ...ledger.Entry) ledger.State {
	var kept store.Memory
	for _, entry := range entries {
		if _, err := ledger.Write(t.Context(), &kept, time.Now, entry); err != nil {
			t.Fatal(err)
		}
	}
	history, err := ledger.Read(t.Context(), &kept)
	if err != nil {
		t.Fatal(err)
	}
	return history.State()
}

func begun(release, image string, from, to int) ledger.Entry {
	return ledger.Entry{Kind: ledger.ShiftBegun, Release: release, Image: image, Stable: "sha256:0", From: from, To: to}
}

func reached(release, image string, to int) ledger.Entry {
	return ledger.Entry{Kind: ledger.ShiftReached, Release: release, Image: image, Stable: "sha256:0", To: to}
}

func TestTheReleaseHasTheNameOfTheLedger(t *testing.T) {
	back := []ledger.Entry{
		{Kind: ledger.RollbackBegun, Release: "week1", Image: imageA, From: 10},
		{Kind: ledger.RolledBack, Release: "week1", Image: imageA},
	}
	tests := []struct {
		name    string
		config  map[string]string
		entries []ledger.Entry
		image   string
		want    string
	}{
		{"nothing yet", nil, nil, imageA, "week1"},
		{"nothing yet, named", map[string]string{"release": "v2"}, nil, imageA, "v2"},
		{"the next week", map[string]string{"week": "2"}, []ledger.Entry{reached("week1", imageA, 10)}, imageA, "week1"},
		{"the week before", map[string]string{"week": "3"}, []ledger.Entry{reached("week1", imageA, 60),
			begun("week1", imageA, 60, 100)}, imageA, "week1"},
		{"a first shift that failed", map[string]string{"week": "2"}, []ledger.Entry{begun("week1", imageA, 0, 10)}, imageA,
			"week1"},
		{"a name for what lives", map[string]string{"release": "v3"}, []ledger.Entry{reached("v2", imageA, 10)}, imageA,
			"v2"},
		{"the way down under another name", map[string]string{"release": "v3", "canaryWeight": "0"},
			[]ledger.Entry{reached("v2", imageA, 10)}, imageA, "v2"},
		{"a way down that failed", map[string]string{"release": "v3", "canaryWeight": "0"},
			[]ledger.Entry{reached("v2", imageA, 10), begun("v2", imageA, 10, 0)}, imageA, "v2"},
		{"another image in the first stage", map[string]string{"week": "1"}, []ledger.Entry{reached("week1", imageA, 10)},
			imageB, "week1"},
		{"another name at 0", map[string]string{"release": "v3"}, []ledger.Entry{reached("v2", imageA, 10),
			reached("v2", imageA, 0)}, imageB, "v3"},
		{"another image at 0", map[string]string{"week": "1"}, []ledger.Entry{reached("v2", imageA, 10),
			reached("v2", imageA, 0)}, imageB, "week1"},
		{"the same image at 0", map[string]string{"week": "2"}, []ledger.Entry{reached("week1", imageA, 10),
			reached("week1", imageA, 0)}, imageA, "week1"},
		{"rolled back", map[string]string{"week": "2"}, append([]ledger.Entry{reached("week1", imageA, 10)}, back...), imageA,
			"week1"},
		{"a rollback without an outcome", map[string]string{"release": "v3"},
			append([]ledger.Entry{reached("week1", imageA, 10)}, back[0]), imageB, "week1"},
		{"finished", map[string]string{"week": "4", "canaryWeight": "0"}, []ledger.Entry{reached("week1", imageA, 100),
			{Kind: ledger.Finished, Release: "week1", Image: imageA, Stable: imageA, From: 100}}, imageB, "week1"},
		{"finished, and stable is called so", map[string]string{"week": "4", "canaryWeight": "0", "stableVersion": "week1"},
			[]ledger.Entry{reached("week1", imageA, 100),
				{Kind: ledger.Finished, Release: "week1", Image: imageA, Stable: imageA, From: 100}}, "", "week4"},
		{"one track", map[string]string{"strategy": "single", "release": "staging"}, nil, imageA, "staging"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			named, err := Named(production(t, tt.config), stateOf(t, tt.entries...), tt.image)
			if err != nil || named.Release != tt.want {
				t.Errorf("called %q, want %q: %v", named.Release, tt.want, err)
			}
		})
	}
}

func TestALivingNameThatTheSettingsRuleOutIsAnError(t *testing.T) {
	s := production(t, map[string]string{"stableVersion": "v2"})
	if named, err := Named(s, stateOf(t, reached("v2", imageA, 10)), imageA); err == nil || named.Release != "v2" {
		t.Errorf("called %q: %v", named.Release, err)
	}
}

// Whatever an operator sets, week by week, a release that has requests is called as it was when it entered.
func TestNoReleaseIsRenamedWhileItLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []ledger.Entry
		for range rapid.IntRange(1, 12).Draw(t, "moves") {
			config := map[string]string{"week": strconv.Itoa(rapid.IntRange(1, 4).Draw(t, "week"))}
			if weight := rapid.SampledFrom([]int{-1, 0, 10, 30, 60, 100}).Draw(t, "weight"); weight >= 0 {
				config["canaryWeight"] = strconv.Itoa(weight)
			}
			if release := rapid.SampledFrom([]string{"", "v2", "v3"}).Draw(t, "release"); release != "" {
				config["release"] = release
			}
			s, image := production(t, config), rapid.SampledFrom([]string{imageA, imageB}).Draw(t, "image")
			before := stateOf(t, entries...)
			named, err := Named(s, before, image)
			if err != nil {
				t.Fatal(err)
			}
			if living := before.Living(); living != "" && named.Release != living {
				t.Fatalf("%s lives and is called %s by %v", living, named.Release, config)
			}
			if again, err := Named(s, before, image); err != nil || again.Release != named.Release {
				t.Fatalf("the same configuration gives %s and %s: %v", named.Release, again.Release, err)
			}
			entries = append(entries, outcome(t, named, image, before)...)
		}
	})
}

// outcome is what the ledger gets of an update to the position of the settings.
func outcome(t *rapid.T, s *settings.Settings, image string, before ledger.State) []ledger.Entry {
	to := s.Position().Weight
	shift := []ledger.Entry{begun(s.Release, image, before.Weight, to)}
	back := []ledger.Entry{{Kind: ledger.RollbackBegun, Release: s.Release, Image: image, From: to},
		{Kind: ledger.RolledBack, Release: s.Release, Image: image}}
	return rapid.SampledFrom([][]ledger.Entry{
		nil, shift, append(slices.Clone(shift), reached(s.Release, image, to)), append(slices.Clone(shift), back[0]),
		append(slices.Clone(shift), back...),
	}).Draw(t, "outcome")
}
