package program

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// checksum covers every value that reaches the pods through a Secret or the ConfigMap. All secrets are hashed
// together, so that it gives no way of trying values for one of them. The keys of webhooks reach no pod of the service.
func checksum(s *settings.Settings) (string, error) {
	revealed := map[string]map[string]string{}
	for name, entries := range s.ClusterSecrets() {
		kept := map[string]string{}
		for key, value := range entries {
			if !s.SignsOnly(settings.SecretRef{Secret: name, Key: key}) {
				kept[key] = value.Reveal()
			}
		}
		if len(kept) > 0 || len(entries) == 0 {
			revealed[name] = kept
		}
	}
	return digest(revealed, s.ConfigEnv)
}

// digest hashes values by their JSON form, whose keys are sorted.
func digest(values ...any) (string, error) {
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for _, value := range values {
		if err := encoder.Encode(value); err != nil {
			return "", fmt.Errorf("make a checksum: %w", err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}
