package command

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/guard"
)

func TestSmokeValuesComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flags := guardFlags{smokeKeyFile: write("key", "sign-with-me\n"),
		smokeOriginFile: write("origin", " https://app.example.com \n")}
	suite, values, err := flags.smoke(guard.Config{SmokeSuite: "finance-service", Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	if suite.Name != "finance-service" || values.AllowedOrigin != "https://app.example.com" || values.Token == "" ||
		values.ExpiredToken == "" {
		t.Errorf("suite %s, %v", suite.Name, values)
	}
	if _, _, err := flags.smoke(guard.Config{SmokeSuite: "name: x\nchecks: ["}); err == nil {
		t.Error("a suite that is none is accepted")
	}
	flags.smokeKeyFile = filepath.Join(dir, "missing")
	if _, _, err := flags.smoke(guard.Config{SmokeSuite: "finance-service"}); err == nil {
		t.Error("a key that is missing is accepted")
	}
}

func TestTheTokenIsReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	flags := guardFlags{tokenFile: path}
	read := flags.token()
	if _, err := read(); err == nil {
		t.Error("a missing token is no error")
	}
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(); err != nil || got != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if (&guardFlags{}).token() != nil {
		t.Error("there is a webhook without a token")
	}
}

func TestReach(t *testing.T) {
	for text, want := range map[string]string{
		"http://prometheus.example.com:9090/": "http://prometheus.example.com:9090",
		"monitoring/prometheus-operated:9090": "http://prometheus-operated.monitoring.svc:9090",
	} {
		if _, address, err := reach(endpoint.Way{InPod: true}, text); err != nil || address != want {
			t.Errorf("%s: %s, %v", text, address, err)
		}
	}
	if _, _, err := reach(endpoint.Way{InPod: true}, "prom"); err == nil {
		t.Error("an endpoint that is none is accepted")
	}
}
