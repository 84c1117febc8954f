package settings

import (
	"errors"
	"strings"
	"testing"
)

func TestTheNameIsTheConfigurationsOrLeftToTheRollout(t *testing.T) {
	for _, tt := range []struct{ week, release, named, called string }{
		{"1", "", "", "week1"}, {"3", "", "", "week3"}, {"3", "v2", "v2", "v2"},
	} {
		s, err := Load("production", production("week", tt.week, "release", tt.release))
		if err != nil || s.NamedRelease() != tt.named || s.Release != tt.called {
			t.Errorf("week %s, release %q: named %q, called %q, %v", tt.week, tt.release, s.NamedRelease(), s.Release, err)
		}
	}
}

func TestAReleaseKeepsTheNameThatItEnteredWith(t *testing.T) {
	s, err := Load("production", production("week", "3"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.WithRelease("week1")
	if err != nil || kept.Release != "week1" || kept.NamedRelease() != "" || kept.DashboardUID() != "finance-week1" ||
		kept.Position() != s.Position() || s.Release != "week3" {
		t.Errorf("%q of %q: %v", kept.Release, s.Release, err)
	}
}

// What does not go with the name of a release that lives is the rest of the configuration.
func TestWhatDoesNotGoWithALivingReleaseIsNotItsName(t *testing.T) {
	for name, tt := range map[string]struct{ key, value, release, blamed, fix string }{
		"the stable version": {"stableVersion", "v2", "v2", "stableVersion",
			"pulumi config set stableVersion stable -s production"},
		"a longer app": {"app", strings.Repeat("a", 50), "release-2026", "app", "pulumi config set app NAME -s production"},
		"a dashboard": {"monitoring", `{"dashboardPrefix":"` + strings.Repeat("d", 30) + `"}`, "release-2026",
			"monitoring.dashboardPrefix", "pulumi config set --path monitoring.dashboardPrefix finance -s production"},
	} {
		s, err := Load("production", production(tt.key, tt.value))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kept, err := s.WithRelease(tt.release)
		problem, ok := errors.AsType[*Error](err)
		if !ok || problem.Key != tt.blamed || problem.Fix != tt.fix || kept.Release != tt.release {
			t.Errorf("%s: %v", name, err)
		}
	}
}
