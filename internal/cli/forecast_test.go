package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/terminal"
	fake "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

// quick lets a forecast of the world's stack be quick: one short stage.
func (w *world) quick(more string) {
	w.t.Helper()
	w.write("Pulumi.production.yaml", w.production()+"  shop:stages: [100]\n"+
		"  shop:soak: { duration: 1h, extension: 1h }\n"+more)
}

// observedBy lets the stack's Prometheus be the server.
func (w *world) observedBy(server *fake.Server) {
	w.t.Helper()
	text := strings.ReplaceAll(w.production(), "http://127.0.0.1:1", server.URL)
	w.write("Pulumi.production.yaml", text)
}

func TestForecast(t *testing.T) {
	w := newWorld(t)
	w.quick("")
	code, printed := called(t, "forecast", "-s", "production", "--rate", "2", "--start", "2026-03-02T09:00:00Z",
		"--budget", "100000", "--runs", "5")
	if code != terminal.ExitDone {
		t.Errorf("exit code %d", code)
	}
	path := filepath.Join("testdata", "forecast.txt")
	if *update {
		w.must(os.MkdirAll("testdata", 0o755))
		w.must(os.WriteFile(path, []byte(printed), 0o644))
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != printed {
		t.Errorf("%v; the package's tests with -update write it anew:\n%s", err, cmp.Diff(string(want), printed))
	}
	w.expectUnchanged()
	code, printed = called(t, "forecast", "-s", "production", "--rate", "2", "--start", "2026-03-02T09:00:00Z",
		"-o", "json", "--budget", "0", "--runs", "5")
	var result forecast.Forecast
	if err := json.Unmarshal([]byte(printed), &result); err != nil || code != terminal.ExitFailed || result.Seed != 1 ||
		result.Budget.Kept || result.Half == nil || !result.Half.Equal(time.Date(2026, 3, 2, 10, 7, 0, 0, time.UTC)) {
		t.Errorf("exit code %d, %v\n%s", code, err, printed)
	}
}

func TestForecastSaysWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	server := fake.New(t)
	w.quick("")
	w.observedBy(server)
	empty := filepath.Join(w.dir, "empty.csv")
	w.must(os.WriteFile(empty, nil, 0o600))
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"too little traffic": {[]string{"--rate", "0.0167"}, terminal.ExitUnknown,
			"a longer bake: pulumi config set --path bake.duration"},
		"no samples": {nil, terminal.ExitFailed, "sum(rate(http_requests_total{"},
		"no samples: remedy": {nil, terminal.ExitFailed, "or give the traffic with `rollout forecast --csv FILE -s " +
			"production`"},
		"one track":      {[]string{"-s", "staging", "--rate", "1"}, terminal.ExitUsage, "has one track"},
		"weeks":          {[]string{"--weeks", "0"}, terminal.ExitUsage, "--weeks 0: allowed are 1 to 52"},
		"runs":           {[]string{"--runs", "-1"}, terminal.ExitUsage, "--runs -1: allowed"},
		"budget":         {[]string{"--budget", "-1"}, terminal.ExitUsage, "--budget -1: allowed"},
		"two sources":    {[]string{"--rate", "1", "--csv", "x"}, terminal.ExitUsage, "exclude each other"},
		"weeks of a CSV": {[]string{"--csv", "x", "--weeks", "1"}, terminal.ExitUsage, "--weeks is for traffic"},
		"no rate":        {[]string{"--errors", "0.1"}, terminal.ExitUsage, "with --rate"},
		"no traffic":     {[]string{"--rate", "0"}, terminal.ExitUsage, "rate 0: allowed"},
		"start":          {[]string{"--start", "monday"}, terminal.ExitUsage, `--start "monday": allowed is RFC 3339`},
		"extensions":     {[]string{"--rate", "1", "--extensions", "-1"}, terminal.ExitUsage, "-1 extensions: allowed"},
		"no file":        {[]string{"--csv", "/nowhere.csv"}, terminal.ExitUsage, "no such file"},
		"empty file":     {[]string{"--csv", empty}, terminal.ExitUsage, "the file is empty"},
		"argument":       {[]string{"x"}, terminal.ExitUsage, "takes no arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			code, printed := called(t, append([]string{"forecast", "-s", "production"}, tt.args...)...)
			if code != tt.code || !strings.Contains(printed, tt.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, tt.code, tt.want, printed)
			}
		})
	}
	w.expectUnchanged()
}

// week lets the server have the whole days of the last week, of 2 requests/s.
func week(server *fake.Server) {
	hourly := func(value float64, labels ...string) *model.SampleStream {
		stream := &model.SampleStream{Metric: fake.Sample(0, labels...).Metric}
		end := time.Now().UTC().Truncate(24 * time.Hour)
		for at := end.Add(-7*24*time.Hour + time.Hour); !at.After(end); at = at.Add(time.Hour) {
			stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
				Value: model.SampleValue(value)})
		}
		return stream
	}
	server.Answer("http_requests_total", model.Matrix{hourly(2)})
	server.Answer(`code=~"5.."`, model.Matrix{})
	server.Answer("bucket", model.Matrix{hourly(2, "le", "0.5"), hourly(2, "le", "+Inf")})
}

// The traffic of the last weeks comes from the stack's Prometheus, without a call of the cluster where it has an
// address.
func TestForecastReadsPrometheus(t *testing.T) {
	w := newWorld(t)
	server := fake.New(t)
	w.quick("")
	w.observedBy(server)
	week(server)
	code, printed := called(t, "forecast", "-s", "production", "--weeks", "2", "--runs", "5")
	if code != terminal.ExitDone || !strings.Contains(printed, "Prometheus, 7 whole days") ||
		!strings.Contains(printed, "have no data") {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
	w.expectUnchanged()
}
