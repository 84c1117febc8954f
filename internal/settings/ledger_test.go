package settings

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestTheLedgersKeys(t *testing.T) {
	private, public := testkit.SigningKey(t)
	keys := map[string]map[string]string{"ledger": {"operator": private, "guard": private},
		"finance-db":      {"host": "db", "username": "app", "password": "s3cr3t-value"},
		"finance-secrets": {"jwt-secret": "sign-with-me", "eventstore-connection": "esdb://es", "cors-origin": "https://a.b"}}
	signed := func(ledger string, change func()) testkit.Config {
		if change != nil {
			change()
		}
		encoded, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		config := production()
		config["ledger"], config["secrets"] = strings.ReplaceAll(ledger, "PUBLIC", public), string(encoded)
		config["guard"] = `{"image":"vextrus/rollout:v1"}`
		return config
	}
	const whole = `{"publicKeys":["PUBLIC"],"signingKey":"ledger/operator","guardKey":"ledger/guard"}`
	s, err := Load("production", signed(whole, nil))
	if err != nil || len(s.TrustedKeys()) != 1 {
		t.Fatalf("%d keys, %v", len(s.TrustedKeys()), err)
	}
	if _, deployed := s.ClusterSecrets()["ledger"]; deployed {
		t.Error("the keys become a Secret of the pods")
	}
	for name, tt := range map[string]struct {
		ledger string
		words  []string
	}{
		"no public key": {`{"signingKey":"ledger/operator"}`,
			[]string{"ledger.publicKeys", "missing; ledger.signingKey signs"}},
		"no key of updates": {`{"publicKeys":["PUBLIC"],"guardKey":"ledger/guard"}`,
			[]string{"ledger.signingKey", "missing"}},
		"no key of the guard": {`{"publicKeys":["PUBLIC"],"signingKey":"ledger/operator"}`,
			[]string{"ledger.guardKey", "missing"}},
		"one key for both": {`{"publicKeys":["PUBLIC"],"signingKey":"ledger/operator","guardKey":"ledger/operator"}`,
			[]string{"would lie in the cluster"}},
		"a public key that is none": {`{"publicKeys":["s3cr3t"],"signingKey":"ledger/operator","guardKey":"ledger/guard"}`,
			[]string{"ledger.publicKeys[0]", "no public key of Ed25519"}},
		"a secret that is not there": {`{"publicKeys":["PUBLIC"],"signingKey":"ledger/x","guardKey":"ledger/guard"}`,
			[]string{"secrets.ledger.x", "ledger.signingKey needs it"}},
	} {
		_, err := Load("production", signed(tt.ledger, nil))
		t.Run(name, func(t *testing.T) { testkit.WantError(t, err, tt.words...) })
	}
	_, err = Load("production", signed(whole, func() { keys["ledger"]["operator"] = "n0-key-at-all" }))
	testkit.WantError(t, err, "secrets.ledger.operator", "no private key of Ed25519")
	if strings.Contains(err.Error(), "n0-key-at-all") {
		t.Error("the error quotes the secret")
	}
	if _, err := Load("production", signed(whole, func() { keys["ledger"]["operator"] = hidden })); err != nil {
		t.Errorf("a command that has not decrypted the key: %v", err)
	}
}
