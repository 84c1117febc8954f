package shift

import (
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// at is a clock that stands still.
type at time.Time

func (a at) Now() time.Time { return time.Time(a) }

func (a at) After(time.Duration) <-chan time.Time { return time.After(0) }

// move is a move with its route, and what asks them both.
type move struct {
	shift    *Shift
	route    *Route
	capacity *Capacity
	gate     *Gate
}

// productionConfig is a production stack.
func productionConfig() map[string]string {
	return map[string]string{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "namespace": "vextrus-production",
		"prometheus": "monitoring/prometheus-operated:9090",
		"secrets": `{"finance-db":{"host":"db","username":"app","password":"s3cr3t-value"},
			"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113?tls=true",
			"cors-origin":"https://app.vextrus.com"}}`,
	}
}

// gatewayConfig is a production stack behind a Gateway.
func gatewayConfig(weight int) map[string]string {
	config := productionConfig()
	maps.Copy(config, map[string]string{
		"traffic": "gateway", "gateway": `{"namespace":"infra","name":"public","sectionName":"web"}`,
		"release": "v2", "canaryWeight": strconv.Itoa(weight),
	})
	return config
}

// newMove makes the move of a stack with this configuration. The live weights are those of stable and canary; none
// means that there is no route.
func newMove(t *testing.T, w *shifttest.Cluster, config map[string]string, live ...int) *move {
	t.Helper()
	s, err := settings.Load("production", values(config))
	if err != nil {
		t.Fatal(err)
	}
	if len(live) > 0 {
		w.Gateway.Weights = map[string]int{"finance-service-stable": live[0], "finance-service-canary": live[1]}
	}
	shift := New(Options{
		Rollout: &rollout.Rollout{
			Settings: s, Cluster: w, Clock: gate.SystemClock{}, Who: "anna", Getenv: func(string) string { return "" },
			Prometheus: func() (soak.Server, error) { return nil, errors.New("no Prometheus in this test") },
		},
		Cluster: w, Log: &heard{}, Images: Images{Canary: KnownDigest(onTrial), Stable: KnownDigest(oldImage)},
	})
	route := NewRoute(shift)
	return &move{shift: shift, route: route, capacity: NewCapacity(shift, route), gate: NewGate(shift, route)}
}
