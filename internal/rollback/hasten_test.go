package rollback

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// Clients that keep their connections get answers of a canary until its pods end: those of a bad one end at once.
func TestTheRestOfABadCanaryEndsSoon(t *testing.T) {
	for name, tt := range map[string]struct {
		failing float64
		late    int
		refused bool
		want    string
	}{
		"a third fails": {failing: 0.33, want: "finance-v2, whose pods end within 1s"},
		"deleted later": {failing: 0.33, late: 3, want: "finance-v2, whose pods end within 1s"},
		"never deleted": {failing: 0.33, late: 1000, want: "finance-v2, of whose pods 2 are not being deleted yet"},
		"an older Role": {failing: 0.33, refused: true,
			want: "finance-v2, whose pods end in their own time: refused"},
		"few fail":              {failing: 0.02, want: "finance-v2"},
		"nothing known of them": {want: "finance-v2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.late = tt.late
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
				if at < 0 || !strings.HasPrefix(outcome.Steps[at].Done, tt.want) ||
					tt.want == "finance-v2" && outcome.Steps[at].Done != tt.want {
					t.Errorf("%+v, want %q", outcome.Steps, tt.want)
				}
				if ended := slices.Contains(w.calls, "end pods"); ended != (tt.failing >= mild) {
					t.Errorf("the pods were ended: %v", ended)
				}
			})
		})
	}
}
