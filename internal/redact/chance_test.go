package redact

import (
	"strings"
	"testing"
)

// Credentials that look like something else by chance: hexadecimal ones like a duration (2468d73f…), and the second
// half of a pair whose last character is no letter.
func TestCredentialsThatLookLikeSomethingElseByChance(t *testing.T) {
	for text, secret := range map[string]string{
		"request sent with bearer 2468d73f5b53f31379455373333b1021":         "2468d73f5b53f31379455373333b1021",
		"Authorization: Token 84d087a973700432b35d7b2961c6e2f17482b72f":     "84d087a973700432b35d7b2961c6e2f17482b72f",
		"AKIAE49U346K73KL6F20:M43fg74QuQ5WrmJ16dix7yqRyxVp72+X9oS8c62+":     "M43fg74QuQ5WrmJ16dix7yqRyxVp72+X9oS8c62+",
		"AKIAH4AR2SD97TNCA021:T4VYOW2x/wb7OL2UzMXu7Ss5FB4pf7cNUHc8xz2/, eu": "T4VYOW2x/wb7OL2UzMXu7Ss5FB4pf7cNUHc8xz2/",
		"https://4458d71d6201f4607e70c7036d282e2e@o1.ingest.sentry.io/42":   "4458d71d6201f4607e70c7036d282e2e",
	} {
		if got := Text(text, nil); strings.Contains(got, secret) {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	for _, duration := range []string{"token: 15m30s", "token: 2d12h", "token: 250ms", "token: 1.5h"} {
		if got := Text(duration, nil); got != duration {
			t.Errorf("%q becomes %q", duration, got)
		}
	}
}
