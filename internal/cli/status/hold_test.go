package status

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// What holds the next upward move back stands on the screen, with the answer of Prometheus or without one.
func TestGatherHolds(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", To: 10}
	begun := ledger.Entry{Kind: ledger.ShiftBegun, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", From: 10,
		To: 30}
	everyAndAlerts := map[string]string{"calendar": `{"timeZone":"Europe/Berlin","every":"24h"}`,
		"incidents": `{"alerts":["severity=\"critical\""]}`}
	for name, tt := range map[string]struct {
		changes map[string]string
		entries []ledger.Entry
		offline bool
		want    []string
		opens   string
	}{
		"nothing is configured": {nil, []ledger.Entry{reached}, false, nil, ""},
		"closed, and an alert": {everyAndAlerts, []ledger.Entry{reached}, false,
			[]string{"calendar closed", "open incident"}, "Wed 2026-03-04 16:12 Europe/Berlin"},
		"a shift goes on": {everyAndAlerts, []ledger.Entry{reached, begun}, false, []string{"open incident"}, ""},
		"offline": {everyAndAlerts, []ledger.Entry{reached}, true, []string{"calendar closed", "no evidence"},
			"Wed 2026-03-04 16:12 Europe/Berlin"},
		"lifted": {map[string]string{"calendar": `{"every":"24h","override":{"reason":"hotfix","until":"2026-03-04"}}`},
			[]ledger.Entry{reached}, false, []string{"calendar closed (hotfix)"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			shop := newShop(t)
			shop.prometheus.Answer(`ALERTS{alertstate="firing",severity="critical"}`,
				model.Vector{{Metric: model.Metric{"alertname": "PaymentsDown"}, Value: 1}})
			if tt.offline {
				shop.prometheus.Fail(errors.New("connection refused"))
			}
			status := shop.gatherWith(t, productionWith(t, tt.changes), tt.entries...)
			var got []string
			opens := ""
			for _, hold := range status.Holds {
				opens += hold.Opens
				if hold.Lifted != "" {
					hold.Cause += " (" + hold.Lifted + ")"
				}
				got = append(got, hold.Cause)
			}
			if strings.Join(got, ", ") != strings.Join(tt.want, ", ") || opens != tt.opens {
				t.Errorf("held by %q, opens %q; want %q, %q", got, opens, tt.want, tt.opens)
			}
		})
	}
}

// The status says who takes the release on, and which approvals that waits for.
func TestGatherAdvance(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:bb", Stable: "sha256:aa", To: 10}
	for _, tt := range []struct {
		advance string
		entries []ledger.Entry
		want    string
	}{
		{"manual", []ledger.Entry{reached}, "by hand"},
		{"auto", []ledger.Entry{reached}, "by itself"},
		{`{"mode":"auto","approval":[10,60,0]}`, []ledger.Entry{reached}, "by itself; needs an approval: 60 %, the finish"},
		{`{"approval":[60]}`, []ledger.Entry{reached, {Kind: ledger.Approved, Who: "anna", Image: "sha256:bb", To: 60}},
			"by hand"},
	} {
		status := newShop(t).gatherWith(t, productionWith(t, map[string]string{"advance": tt.advance}), tt.entries...)
		if status.Advance == nil || status.Advance.text(terminal.Style{}) != tt.want {
			t.Errorf("%s: %+v, want %q", tt.advance, status.Advance, tt.want)
		}
		if text := status.Render(terminal.Style{}); !strings.Contains(text, tt.want) {
			t.Errorf("%s: no %q in\n%s", tt.advance, tt.want, text)
		}
	}
}
