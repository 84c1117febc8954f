package program

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// checksum covers every value that reaches the pods through a Secret or the ConfigMap. All secrets are hashed
// together, so that it gives no way of trying values for one of them.
func checksum(s *settings.Settings) (string, error) {
	revealed := map[string]map[string]string{}
	for name, entries := range s.ClusterSecrets() {
		revealed[name] = map[string]string{}
		for key, value := range entries {
			revealed[name][key] = value.Reveal()
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
