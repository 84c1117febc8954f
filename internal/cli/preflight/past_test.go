package preflight

import (
	"errors"
	"testing"
)

func TestFalseAlarms(t *testing.T) {
	convicting := map[string]string{"guard": `{"quarantine":false}`}
	for name, tt := range map[string]struct {
		stack map[string]string
		past  Past
		state State
		words string
	}{
		"errors that come one by one": {nil, Past{Soaks: 9, Upper: 0.28, Dispersion: 1.1}, OK,
			"none in 9 soaks in which stable's own pods played the canary (at most 28 % with 95 % confidence); the errors' " +
				"variance by minute and pod is 1.1 times"},
		"a false rollback": {nil, Past{Soaks: 9, RolledBack: 2, Upper: 0.55, Dispersion: 9, Bursty: true}, Failed,
			"2 of 9 soaks in which stable's own pods played the canary were rolled back; the errors' variance"},
		"bursts without a quarantine": {convicting, Past{Soaks: 9, Dispersion: 9, Bursty: true}, Failed,
			"9.0 times that of independent ones: they come in bursts, and one can latch a healthy canary"},
		"bursts with one": {nil, Past{Soaks: 9, Upper: 0.28, Dispersion: 9, Bursty: true}, OK, "none in 9 soaks"},
		"no guard": {map[string]string{"guard": `{"enabled":false}`}, Past{Dispersion: 9, Bursty: true}, OK,
			"9.0 times"},
		"pods that live days": {nil, Past{Dispersion: 1}, OK, "no pod of the stable track has lived for a soak of 2d"},
		"no request":          {nil, Past{}, Skipped, "no requests to rehearse on"},
		"no answer":           {nil, Past{Err: errors.New("no answer\nwithin 1m0s")}, Unknown, "no answer within 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack(t, tt.stack)
			facts := inOrder(t, s)
			facts.Past = tt.past
			expectRow(t, Check(s, facts), "false alarms", tt.state, tt.words)
		})
	}
	s := stack(t, nil)
	facts := inOrder(t, s)
	facts.Namespace, facts.Past = Namespace{}, Past{}
	expectRow(t, Check(s, facts), "false alarms", Skipped, "nothing is rolled out yet")
	alone := stack(t, map[string]string{"strategy": "single", "stableImage": "", "guard": "{}"})
	for _, row := range Check(alone, facts).Rows {
		if row.Name == "false alarms" {
			t.Errorf("a stack with one track has %+v", row)
		}
	}
}
