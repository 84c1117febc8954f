package shift

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// An update that is refused tells the webhooks. A preview is refused as well, and tells nobody.
func TestARefusedUpdateTellsTheWebhooks(t *testing.T) {
	for name, tt := range map[string]struct {
		to     int
		dryRun bool
		want   int
	}{
		"refused": {to: 60, want: 1}, "a preview": {to: 60, dryRun: true}, "allowed": {to: 10},
	} {
		var received []notify.Event
		box := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
			var event notify.Event
			if err := json.NewDecoder(request.Body).Decode(&event); err != nil {
				t.Error(err)
			}
			received = append(received, event)
		}))
		tr := newTrial(t, tt.to, served{}, born.Add(time.Hour))
		tr.standsAt(t, 10, born.Add(30*time.Second))
		tr.dryRun = tt.dryRun
		tr.rollout.Settings.Secrets["notify"] = map[string]settings.Secret{"hmac-key": "k"}
		tr.rollout.Settings.Notify.Webhooks = []settings.Webhook{{URL: box.URL,
			Secret: settings.SecretRef{Secret: "notify", Key: "hmac-key"}, Events: []string{names.EventRefused}}}
		err := tr.Judge(t.Context())
		box.Close()
		if len(received) != tt.want || (err == nil) != (tt.to == 10) {
			t.Errorf("%s: told of %d events, error %v", name, len(received), err)
		}
	}
}
