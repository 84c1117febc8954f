package live

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
	promtest "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

// single is a stack with one track that asks for nothing: no Prometheus, no guard, no traces.
func single(t *testing.T) Source {
	t.Helper()
	c, _ := newCluster(t)
	s := production(t, map[string]string{"strategy": "single", "stableImage": "", "guard": "{}", "prometheus": "",
		"bake": `{"duration":"0s"}`, "monitoring": `{"enabled":false}`, "env": "{}"})
	return source(s, c, nil)
}

// What a stack does not configure is not asked for: neither Prometheus nor an Alertmanager nor a collector.
func TestNothingIsAskedThatIsNotConfigured(t *testing.T) {
	from := single(t)
	from.Prometheus = func(Cluster) (Server, error) {
		t.Error("Prometheus is asked for")
		return nil, errors.New("no Prometheus")
	}
	var images []string
	from.Image = func(_ context.Context, reference string) (string, error) {
		images = append(images, reference)
		return digest, nil
	}
	f := Gather(t.Context(), from)
	nothing := preflight.Reached{}
	if f.Prometheus.Err != nil || f.Alertmanager != nothing || f.OTLP != nothing || f.Staging.Verified != "" {
		t.Errorf("%+v, %+v, %+v, %+v", f.Prometheus, f.Alertmanager, f.OTLP, f.Staging)
	}
	if !slices.Equal(images, []string{"r/x@" + digest}) {
		t.Errorf("asked the registry for %q", images)
	}
}

// The image of a stack that takes it from staging has no reference to ask the registry for.
func TestTheImageOfStagingIsNotAskedFor(t *testing.T) {
	c, _ := newCluster(t)
	from := source(production(t, map[string]string{"image": "", "staging": `{"required":true,"stack":"a/b/staging"}`}), c,
		nil)
	from.Image = func(_ context.Context, reference string) (string, error) {
		if reference != "r/x@"+digest {
			t.Errorf("asked the registry for %q", reference)
		}
		return digest, nil
	}
	f := Gather(t.Context(), from)
	if f.Image != (preflight.Image{}) || f.StableImage.Digest != digest {
		t.Errorf("%+v, %+v", f.Image, f.StableImage)
	}
}

// Without Prometheus the rows that need it say why, and the others are as ever.
func TestPrometheusThatIsAway(t *testing.T) {
	c, server := newCluster(t)
	server.Fail(errors.New("starting up"))
	s := production(t, nil)
	f := Gather(t.Context(), source(s, c, nil))
	testkit.WantError(t, f.Prometheus.Err, "starting up")
	if f.Prometheus.Up != nil || f.Prometheus.Groups != nil || f.Alertmanager.Status != http.StatusOK {
		t.Errorf("%+v, %+v", f.Prometheus, f.Alertmanager)
	}
	if asked := server.Asked(); len(asked) != 1 {
		t.Errorf("asked %q although it does not answer", asked)
	}
}

// An answer of another kind than a vector is none.
func TestTargetsOfAnotherKind(t *testing.T) {
	c, server := newCluster(t)
	server.Answer("up{", &model.Scalar{Value: 3})
	f := Gather(t.Context(), source(production(t, nil), c, nil))
	testkit.WantError(t, f.Prometheus.TargetsErr, "up{", "returned a scalar instead of a vector")
	if f.Prometheus.Up != nil || f.Prometheus.Err != nil || len(f.Prometheus.Statuses) == 0 {
		t.Errorf("%+v", f.Prometheus)
	}
}

// The requests with probes and scrapes are counted without the pattern of metrics.exclude, the customers' with it.
func TestRequestsOfTheLastDay(t *testing.T) {
	sums := func(values ...float64) model.Vector {
		vector := model.Vector{}
		for _, value := range values {
			vector = append(vector, promtest.Sample(value))
		}
		return vector
	}
	for name, tt := range map[string]struct {
		all, customers model.Value
		want           []float64
	}{
		"both":                      {sums(1000), sums(430), []float64{1000, 430}},
		"no customer":               {sums(1000), model.Vector{}, []float64{1000, 0}},
		"more than one sum":         {sums(1000), sums(1, 2), []float64{0, 0}},
		"an answer that is no list": {sums(1000), &model.Scalar{Value: 7}, []float64{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			c, server := newCluster(t)
			server.Answer("increase(", tt.all)
			server.Answer("!~", tt.customers)
			s := production(t, map[string]string{"metrics": `{"exclude":{"path":"/health"}}`})
			f := Gather(t.Context(), source(s, c, nil))
			if got := []float64{f.Prometheus.Requests, f.Prometheus.Customers}; !cmp.Equal(got, tt.want) {
				t.Errorf("%v, want %v; asked %q", got, tt.want, server.Asked())
			}
		})
	}
}

// The endpoint of the traces outside the cluster is asked directly, and what is no address is an error of its row.
func TestTheEndpointOfTheTraces(t *testing.T) {
	collector := httptest.NewServer(only(t, "/v1/traces", http.StatusMethodNotAllowed, ""))
	t.Cleanup(collector.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, tt := range map[string]struct {
		address string
		status  int
		err     string
	}{
		"outside":        {collector.URL, http.StatusMethodNotAllowed, ""},
		"nothing there":  {closed.URL, 0, "connection refused"},
		"no scheme":      {"signoz:4318", 0, "allowed are URLs such as http://collector.observability:4318"},
		"another scheme": {"grpc://10.0.0.7:4317", 0, `unsupported protocol scheme "grpc"`},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newCluster(t)
			env := `{"OTEL_EXPORTER_OTLP_ENDPOINT":"` + tt.address + `"}`
			f := Gather(t.Context(), source(production(t, map[string]string{"env": env}), c, nil))
			if f.OTLP.Address != tt.address || f.OTLP.Status != tt.status {
				t.Errorf("%+v", f.OTLP)
			}
			if tt.err == "" && f.OTLP.Err != nil {
				t.Error(f.OTLP.Err)
			}
			if tt.err != "" {
				testkit.WantError(t, f.OTLP.Err, tt.err)
				if strings.Contains(f.OTLP.Err.Error(), "Get ") {
					t.Errorf("the row names the address, and so does %q", f.OTLP.Err)
				}
			}
		})
	}
}

// A server that does not answer in time is named with the limit, once.
func TestAnAnswerThatIsLate(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("no answer within 20ms"))
	defer cancel()
	status, err := get(ctx, &http.Client{}, server.URL)
	testkit.WantError(t, err, "no answer within 20ms")
	if status != 0 || strings.Count(err.Error(), "no answer within 20ms") != 1 {
		t.Errorf("status %d, %q", status, err)
	}
}

// A server that breaks off its answer has answered: its status counts.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("{"))
	}))
	t.Cleanup(server.Close)
	if status, err := get(t.Context(), &http.Client{}, server.URL); status != http.StatusServiceUnavailable || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}

// Before the first update there is nothing to read, which is no error.
func TestGatherBeforeTheFirstUpdate(t *testing.T) {
	c := cluster.New(t)
	f := Gather(t.Context(), source(production(t, nil), c, nil))
	if f.Namespace.Exists || f.Capacity.Canary != 0 || f.Capacity.Err != nil || f.DatabaseBackup.Exists {
		t.Errorf("%+v, %+v, %+v", f.Namespace, f.Capacity, f.DatabaseBackup)
	}
}
