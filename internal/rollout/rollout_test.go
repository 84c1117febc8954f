package rollout

import "testing"

func TestTokenVariable(t *testing.T) {
	for environment, want := range map[string]string{
		"production": "PROD_JWT_TOKEN", "staging": "STAGING_JWT_TOKEN", "pre-prod": "PRE_PROD_JWT_TOKEN",
	} {
		if got := tokenVariable(environment); got != want {
			t.Errorf("%s: %s", environment, got)
		}
	}
}
