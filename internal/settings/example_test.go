package settings_test

import (
	"errors"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// Load fills in the defaults of the deployment guide. An error names the key, the value, what is allowed, and the
// command that resolves it.
func ExampleLoad() {
	config := testkit.Config{
		"week": "2", "image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1",
		"prometheus": "monitoring/prometheus-operated:9090",
		"secrets": `{"finance-db": {"host": "db", "username": "finance", "password": "s3cr3t-value"},
			"finance-secrets": {"jwt-secret": "sign-with-me", "eventstore-connection": "esdb://es:2113?tls=true",
			"cors-origin": "https://app.vextrus.com"}}`,
	}
	loaded, err := settings.Load("production", config)
	position := loaded.Position()
	fmt.Printf("%s in %s: %d %% on %d canary and %d stable pods, %v\n", loaded.Release, loaded.Namespace, position.Weight,
		position.Canary, position.Stable, err)

	_, err = settings.Load("production", config.With(map[string]string{"canaryWeight": "33"}))
	if problem, ok := errors.AsType[*settings.Error](err); ok {
		fmt.Println(problem.Key, "=", problem.Value)
		fmt.Println(problem.Fix)
	}
	// Output:
	// week2 in finance-service-production: 30 % on 3 canary and 7 stable pods, <nil>
	// canaryWeight = 33
	// pulumi config set canaryWeight 30 -s production, or 40
}
