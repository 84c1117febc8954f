package plan

import (
	"strings"
	"testing"
)

// A changed configuration is a new release: it moves as a new image does.
func TestAChangedConfigurationMovesAsANewImageDoes(t *testing.T) {
	at := func(weight int) Standing {
		return Standing{Weight: weight, Canary: "sha256:11", Stable: "sha256:00", Configuration: "a",
			StableConfiguration: "s"}
	}
	to := func(weight int, configuration string) Target {
		return Target{Weight: weight, Canary: "sha256:11", Stable: "sha256:00", Configuration: configuration,
			StableConfiguration: "s"}
	}
	finish := func(configuration string) Target {
		return Target{Canary: "sha256:11", Stable: "sha256:11", Configuration: "a", StableConfiguration: configuration}
	}
	begun := at(10)
	begun.Begun = &Target{Weight: 30, Canary: "sha256:11", Stable: "sha256:00", Configuration: "a"}
	entering := Standing{Stable: "sha256:00", StableConfiguration: "s",
		Begun: &Target{Weight: 10, Canary: "sha256:00", Stable: "sha256:00", Configuration: "b"}}
	displaced := at(10)
	displaced.Begun = &Target{Weight: 10, Canary: "sha256:11", Stable: "sha256:00", Configuration: "b"}
	older := at(30)
	older.Configuration, older.StableConfiguration = "", ""
	tests := []struct {
		name string
		at   Standing
		to   Target
		want Kind
		says string
	}{
		{"from 0 %", at(0), to(10, "b"), Enter, ""},
		{"within the first stage", at(10), to(10, "b"), Enter, ""},
		{"above the first stage", at(30), to(30, "b"), "", "a changed configuration (b, on trial is a) at 30 %"},
		{"while it goes up", at(10), to(30, "b"), "", "a new image or configuration at 1 to 10 %"},
		{"while it goes down", at(60), to(30, "b"), "", "a changed configuration"},
		{"down to 0 %", at(60), to(0, "b"), Retreat, ""},
		{"at 0 %", at(0), to(0, "b"), Stay, ""},
		{"unchanged", at(30), to(30, "a"), Stay, ""},
		{"a shift that goes on", begun, to(30, "a"), Resume, ""},
		{"a shift that goes on with another one", begun, to(30, "b"), "", "a changed configuration"},
		{"an entry that goes on", entering, Target{Weight: 10, Canary: "sha256:00", Stable: "sha256:00", Configuration: "b",
			StableConfiguration: "s"}, Resume, ""},
		{"back to the one before, after another has begun", displaced, to(10, "a"), Enter, ""},
		{"up with the one before, after another has begun", displaced, to(30, "a"), "", "a changed configuration"},
		{"on with the one that has begun", displaced, to(10, "b"), Resume, ""},
		{"down with the one before, after another has begun", displaced, to(5, "a"), Retreat, ""},
		{"finish", at(100), finish("a"), Finish, ""},
		{"finish with another one", at(100), finish("b"), "", "finishing with another configuration (b)"},
		{"down from 100 %, where the configuration alone was on trial", Standing{Weight: 100, Canary: "sha256:00",
			Stable: "sha256:00", Configuration: "a", StableConfiguration: "s", Identity: "i"},
			Target{Stable: "sha256:00", Configuration: "a", StableConfiguration: "s", Canary: "sha256:00"}, Retreat, ""},
		{"down from 100 %, where stable runs the very release", Standing{Weight: 100, Canary: "sha256:00",
			Stable: "sha256:00", Configuration: "s", StableConfiguration: "s", Identity: "i"},
			Target{Stable: "sha256:00", Configuration: "s", StableConfiguration: "s", Canary: "sha256:00"}, Retreat, ""},
		{"finish, where stable runs the very release", Standing{Weight: 100, Canary: "sha256:00",
			Stable: "sha256:00", Configuration: "s", StableConfiguration: "s", Identity: "i"},
			Target{Stable: "sha256:00", Configuration: "s", StableConfiguration: "s", Canary: "sha256:00", Finish: "i"},
			Finish, ""},
		{"finish, where the configuration alone was on trial", Standing{Weight: 100, Canary: "sha256:00",
			Stable: "sha256:00", Configuration: "a", StableConfiguration: "s", Identity: "i"},
			Target{Stable: "sha256:00", Configuration: "a", StableConfiguration: "a", Canary: "sha256:00", Finish: "i"},
			Finish, ""},
		{"stable's own", at(10), Target{Weight: 10, Canary: "sha256:11", Stable: "sha256:00", Configuration: "a",
			StableConfiguration: "b"}, "", "another configuration (b) of the stable track"},
		{"back to a former image with another one", Standing{Stable: "sha256:00", Former: []string{"sha256:99"},
			StableConfiguration: "s"}, Target{Stable: "sha256:99", StableConfiguration: "b"}, "", "of the stable track"},
		{"back to a former image with its own one", Standing{Stable: "sha256:00", Former: []string{"sha256:99"},
			StableConfiguration: "s", FormerConfigurations: map[string]string{"sha256:99": "b"}},
			Target{Stable: "sha256:99", StableConfiguration: "b"}, Stay, ""},
		{"back to a former image with that of a third one", Standing{Stable: "sha256:00", Former: []string{"sha256:99"},
			StableConfiguration: "s", FormerConfigurations: map[string]string{"sha256:99": "b", "sha256:98": "c"}},
			Target{Stable: "sha256:99", StableConfiguration: "c"}, "", "of the stable track"},
		{"stable's own image with a former configuration", Standing{Stable: "sha256:00", Former: []string{"sha256:00"},
			StableConfiguration: "s", FormerConfigurations: map[string]string{"sha256:00": "b"}},
			Target{Stable: "sha256:00", StableConfiguration: "b"}, "", "of the stable track"},
		{"an older ledger", older, to(30, "b"), Stay, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			move, err := DefaultStages().Move(tt.at, tt.to)
			if err != nil != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) || move.Kind != tt.want {
				t.Errorf("%v: %v", move, err)
			}
		})
	}
}
