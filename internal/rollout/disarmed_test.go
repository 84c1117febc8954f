package rollout

import (
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// Who may write ConfigMaps can disarm the guard: the next advance tells.
func TestAGuardThatWasDisarmed(t *testing.T) {
	const prometheus = "monitoring/prometheus-operated:9090"
	const armed = `{"prometheus":"` + prometheus + `"}`
	given := func(text string) ledger.State {
		return ledger.State{Guard: &ledger.Entry{Seq: 12, Kind: ledger.GuardConfigured, Who: "ann",
			Account: "ann@example.com", Configuration: ledger.Checksum(text)}}
	}
	for name, tt := range map[string]struct {
		live  string
		want  []string
		state ledger.State
	}{
		"as configured":        {live: armed},
		"as an update gave it": {live: armed, state: given(armed)},
		"before the first one": {state: given(armed)},
		"only reports":         {live: `{"dryRun":true,"prometheus":"` + prometheus + `"}`, want: []string{"only reports"}},
		"another Prometheus": {live: `{"prometheus":"http://mallory:9090"}`,
			want: []string{"http://mallory:9090", prometheus}},
		"another Alertmanager": {live: `{"prometheus":"` + prometheus + `","alertmanager":"http://mallory:9093"}`,
			want: []string{"Alertmanager", "http://mallory:9093"}},
		"another limit": {live: `{"errorRate":0.9,"prometheus":"` + prometheus + `"}`, state: given(armed),
			want: []string{"not the one that ann (ann@example.com) gave it", "entry 12"}},
		"no configuration": {live: "{", want: []string{"is no configuration"}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := shifttest.New()
			if tt.live != "" {
				cluster.History, cluster.Version = map[string]string{names.GuardKey: tt.live}, 1
			}
			s := settings.Defaults()
			s.Prometheus, s.Guard.Image = prometheus, "guard@sha256:11"
			got := (&Rollout{Settings: s, Cluster: cluster}).Disarmed(t.Context(), tt.state)
			if (got == "") != (len(tt.want) == 0) {
				t.Errorf("says %q, want %q", got, tt.want)
			}
			for _, word := range tt.want {
				if !strings.Contains(got, word) {
					t.Errorf("says %q, want %q", got, word)
				}
			}
			s.Guard.Enabled = false
			if got := (&Rollout{Settings: s, Cluster: cluster}).Disarmed(t.Context(), tt.state); got != "" {
				t.Errorf("a stack without a guard: %q", got)
			}
		})
	}
}
