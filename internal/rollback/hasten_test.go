package rollback

import (
	"slices"
	"testing"
	"testing/synctest"
)

// Clients that keep their connections get answers of a canary until its pods end: those of a bad one end at once.
func TestTheRestOfABadCanaryEndsSoon(t *testing.T) {
	for name, tt := range map[string]struct {
		failing float64
		refused bool
		want    string
	}{
		"a third fails": {failing: 0.33, want: "finance-v2, 3 pods end within 1s"},
		"an older Role": {failing: 0.33, refused: true,
			want: "finance-v2, whose pods end in their own time: refused by the test"},
		"few fail":              {failing: 0.02, want: "finance-v2"},
		"nothing known of them": {want: "finance-v2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				if tt.refused {
					w.failing, w.always = "end pods", true
				}
				o := options()
				o.Failing = tt.failing
				outcome := Run(t.Context(), w, w, o)
				if err := outcome.Err(); err != nil {
					t.Fatal(err)
				}
				at := slices.IndexFunc(outcome.Steps, func(s Step) bool { return s.Name == scaleStep })
				if at < 0 || outcome.Steps[at].Done != tt.want {
					t.Errorf("%+v, want %q", outcome.Steps, tt.want)
				}
				if calls := w.called(); tt.failing >= mild && slices.Index(calls, "end pods") >
					slices.Index(calls, "scale finance-v2") {
					t.Errorf("the Deployment is scaled before its pods end: %q", calls)
				}
			})
		})
	}
}
