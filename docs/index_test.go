package docs

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/alerts"
)

var (
	section = regexp.MustCompile(`(?m)^## ([A-Z]\w*[a-z][A-Z]\w*)$`)
	phrase  = regexp.MustCompile("(?m)^### `([^`]+)`$")
	joined  = regexp.MustCompile(`"\s*\+\s*"`)
)

func TestTheAlertIndexHasEveryAlert(t *testing.T) {
	rules, err := alerts.Rules(alerts.Params{
		App: "finance-service", Environment: "production", Namespace: "vextrus-production", Release: "week1",
		Deployment: "finance-service-week1", RequestsTotal: "requests", StatusLabel: "code", ErrorPattern: "5..",
		DurationBucket: "seconds_bucket", ErrorRate: 0.01, SlowShare: 0.05, Latency: 500 * time.Millisecond,
		Guarded: true, DashboardUID: "finance-week1",
	})
	if err != nil {
		t.Fatal(err)
	}
	// The guard sends this one to Alertmanager itself.
	want := []string{"CanaryRolledBack"}
	for _, group := range rules["groups"].([]any) {
		for _, rule := range group.(map[string]any)["rules"].([]any) {
			if name, ok := rule.(map[string]any)["alert"].(string); ok {
				want = append(want, name)
			}
		}
	}
	var got []string
	for _, match := range section.FindAllStringSubmatch(read(t, "alerts.md"), -1) {
		got = append(got, match[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docs/alerts.md explains %q, and the alerts are %q", got, want)
	}
}

func TestTheErrorIndexQuotesTheProgram(t *testing.T) {
	var sources strings.Builder
	for _, path := range files(t, ".go") {
		if !strings.HasSuffix(path, "_test.go") && !strings.HasPrefix(path, filepath.Join(root, "local")) {
			sources.WriteString(joined.ReplaceAllString(read(t, path), ""))
		}
	}
	phrases := phrase.FindAllStringSubmatch(read(t, "errors.md"), -1)
	if len(phrases) == 0 {
		t.Fatal("docs/errors.md quotes no error")
	}
	for _, match := range phrases {
		if !strings.Contains(sources.String(), match[1]) {
			t.Errorf("docs/errors.md quotes %q, and no source holds it", match[1])
		}
	}
}
