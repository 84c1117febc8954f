package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Disarmed says why the guard in the cluster does not guard as the settings say: by its configuration it only reports,
// or asks another Prometheus or Alertmanager, or no update has given it this configuration. It is empty where the guard
// guards, where the stack has none, and before the first one is made.
func (r *Rollout) Disarmed(ctx context.Context, state ledger.State) string {
	s := r.Settings
	if !s.IsGuarded() {
		return ""
	}
	name := names.Guard(s.App)
	data, _, err := r.Cluster.ConfigMap(ctx, s.Namespace, name)
	if err != nil {
		return fmt.Sprintf("whether the guard acts is not known: %s", err)
	}
	text, exists := data[names.GuardKey]
	if !exists {
		return ""
	}
	var live struct {
		DryRun       bool   `json:"dryRun"`
		Prometheus   string `json:"prometheus"`
		Alertmanager string `json:"alertmanager"`
	}
	if err := json.Unmarshal([]byte(text), &live); err != nil {
		return fmt.Sprintf("ConfigMap %s/%s is no configuration of the guard: %s", s.Namespace, name, err)
	}
	var reasons []string
	if live.DryRun {
		reasons = append(reasons, "it only reports (dryRun)")
	}
	if live.Prometheus != s.Prometheus {
		reasons = append(reasons, fmt.Sprintf("it asks the Prometheus %q, and the configuration names %q", live.Prometheus,
			s.Prometheus))
	}
	if live.Alertmanager != s.Guard.Alertmanager {
		reasons = append(reasons, fmt.Sprintf("it asks the Alertmanager %q, and the configuration names %q",
			live.Alertmanager, s.Guard.Alertmanager))
	}
	if given := state.Guard; given != nil && given.Configuration != ledger.Checksum(text) {
		reasons = append(reasons, fmt.Sprintf("its configuration is not the one that %s gave it by an update (entry %d of "+
			"the ledger)", given.Author(), given.Seq))
	}
	if len(reasons) == 0 {
		return ""
	}
	return fmt.Sprintf("the guard of ConfigMap %s/%s does not guard as configured: %s", s.Namespace, name,
		strings.Join(reasons, "; "))
}
