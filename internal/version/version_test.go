package version

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	checkout := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "true"}}
	for name, tt := range map[string]struct {
		version, revision string
		settings          []debug.BuildSetting
		want              string
	}{
		"a release":      {"v1.2.3", "4567def", nil, "rollout v1.2.3, revision 4567def, go"},
		"linked and not": {"v1.2.3", "4567def", checkout, "rollout v1.2.3, revision 4567def, go"},
		"a checkout":     {"", "", checkout, "rollout devel, revision 0123abc with changes, go"},
		"go run":         {"", "", nil, "rollout devel, revision unknown, go"},
	} {
		if got := of(tt.version, tt.revision, tt.settings).String(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if Get().Version != "devel" {
		t.Errorf("a test is %s", Get())
	}
}
