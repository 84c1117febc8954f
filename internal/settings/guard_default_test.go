package settings

import "testing"

// The guard isolates before it rolls back unless the stack says otherwise, or a Gateway splits the traffic.
func TestQuarantineIsTheDefault(t *testing.T) {
	for name, tt := range map[string]struct {
		source Source
		want   bool
	}{
		"nothing said":     {production("guard", `{"replicas":3}`), true},
		"off":              {production("guard", `{"quarantine":false}`), false},
		"on":               {production("guard", `{"quarantine":true}`), true},
		"behind a Gateway": {throughGateway("guard", `{"replicas":3}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Load("production", tt.source)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Quarantines(); got != tt.want {
				t.Errorf("quarantines: %t", got)
			}
		})
	}
}
