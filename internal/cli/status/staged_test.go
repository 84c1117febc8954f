package status

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// A stack without an image runs what staging has verified: the status names it, and says when it could not look.
func TestTheImageOfStagingIsNamed(t *testing.T) {
	const digest = "sha256:dd"
	for name, tt := range map[string]struct {
		image string
		err   error
		shown bool
	}{
		"left to staging":       {shown: true},
		"of its own":            {image: "shop@sha256:bb"},
		"staging does not tell": {err: errors.New("the record of stack staging has no digest")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			config := productionWith(t, map[string]string{"image": tt.image})
			config.Prometheus = s.prometheus.URL
			r := rollout.New(config, s.Client, nil, func(string) string { return "" })
			r.Clock = testkit.Clock(now)
			status := Gather(t.Context(), Source{Stack: "production", Rollout: r, Cluster: s.Client,
				Staging: func(context.Context) (string, error) {
					if tt.err != nil {
						return "", tt.err
					}
					return digest, nil
				},
				Evidence: &EvidenceCache{}})
			text := status.Render(terminal.Style{})
			if shown := strings.Contains(text, digest+", which staging has verified"); shown != tt.shown {
				t.Errorf("shown %t, want %t:\n%s", shown, tt.shown, text)
			}
			if missing := strings.Contains(text, "staging: the record"); missing != (tt.err != nil) {
				t.Errorf("missing %t:\n%s", missing, text)
			}
		})
	}
}
