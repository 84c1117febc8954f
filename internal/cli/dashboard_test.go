package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/terminal"
)

func TestDashboardRefusesOtherMachines(t *testing.T) {
	newWorld(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--listen", "0.0.0.0:8123"}, `--listen "0.0.0.0:8123": allowed are addresses of this machine alone`},
		{[]string{"--listen", ":8123"}, "ssh -L"},
		{[]string{"--listen", "localhost"}, "such as 127.0.0.1:8123"},
		{[]string{"--interval", "1ms"}, "--interval 1ms: allowed are intervals of at least 500ms"},
		{[]string{"page"}, "takes no arguments"},
	} {
		code, printed := called(t, append([]string{"dashboard", "-s", "production"}, tt.args...)...)
		if code != terminal.ExitUsage || !strings.Contains(printed, tt.want) {
			t.Errorf("%q: exit code %d, want %q:\n%s", tt.args, code, tt.want, printed)
		}
	}
}

// The address that is printed opens the page, the page is live, and both end with the command.
func TestDashboardServesAndEnds(t *testing.T) {
	w := newWorld(t)
	w.at(10)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	var problems bytes.Buffer
	root := rootCommand()
	root.SetArgs([]string{"dashboard", "-s", "production", "-o", "json"})
	root.SetOut(writer)
	root.SetErr(&problems)
	ended := make(chan int, 1)
	go func() { ended <- execute(ctx, root) }()
	var address struct{ URL string }
	if err := json.NewDecoder(reader).Decode(&address); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	get := func(url string) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", answer, err)
		}
		return answer
	}
	first := get(address.URL)
	page, err := io.ReadAll(first.Body)
	if err != nil || !strings.Contains(string(page), "<title>Rollout</title>") || first.Request.URL.RawQuery != "" {
		t.Errorf("%v, at %s:\n%s", err, first.Request.URL, page)
	}
	first.Body.Close()
	base, _, _ := strings.Cut(address.URL, "?")
	live := get(base + "events")
	defer live.Body.Close()
	lines := bufio.NewScanner(live.Body)
	lines.Buffer(nil, 1<<20)
	until := func(what string, seen func(summary string) bool) {
		t.Helper()
		for lines.Scan() {
			var news struct{ Summary string }
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if ok && json.Unmarshal([]byte(data), &news) == nil && news.Summary != "" && seen(news.Summary) {
				return
			}
		}
		t.Fatalf("the events end before %s: %v", what, lines.Err())
	}
	const soaks, away = "week1 soaks at 10 %", "The cluster does not answer since"
	until("the cluster is on the page", func(summary string) bool { return strings.Contains(summary, soaks) })
	// The configuration changes while the page is open; a file that is half written changes nothing.
	whole := w.production()
	later := func(text string) {
		w.write("Pulumi.production.yaml", text)
		moment := time.Now().Add(time.Hour)
		w.must(os.Chtimes(filepath.Join(w.dir, "Pulumi.production.yaml"), moment, moment))
	}
	w.write("Pulumi.production.yaml", strings.Replace(whole, "shop:week: 1", "shop:week: 2", 1))
	until("the new weight is asked for", func(summary string) bool {
		return strings.Contains(summary, "the configuration asks for 30 %, the rollout is at 10 %")
	})
	later("config:\n  shop:week: [")
	until("the file cannot be read", func(summary string) bool {
		return strings.Contains(summary, "newest configuration") && strings.Contains(summary, "asks for 30 %")
	})
	w.write("Pulumi.production.yaml", whole)
	until("the file is as it was", func(summary string) bool {
		return !strings.Contains(summary, "newest configuration") && !strings.Contains(summary, "asks for 30 %")
	})
	var mends []func()
	for _, call := range [][2]string{{"list", "endpointslices"}, {"list", "pods"}, {"get", "deployments"}} {
		mends = append(mends, w.Fail(call[0], call[1], errors.New("the API server is away")))
	}
	until("the outage is on the page", func(summary string) bool {
		return strings.Contains(summary, away) && strings.Contains(summary, soaks) &&
			strings.Contains(summary, "the API server is away")
	})
	for _, mend := range mends {
		mend()
	}
	until("the outage is over", func(summary string) bool { return !strings.Contains(summary, away) })
	stop()
	if code := <-ended; code != terminal.ExitDone {
		t.Errorf("exit code %d: %s", code, problems.String())
	}
	for lines.Scan() {
		continue // an open page ends with the command
	}
	w.expectUnchanged()
}

func TestVersionCommand(t *testing.T) {
	if code, printed := called(t, "version"); code != terminal.ExitDone || !strings.HasPrefix(printed, "rollout devel, ") {
		t.Errorf("exit code %d: %s", code, printed)
	}
	var info map[string]any
	if _, printed := called(t, "version", "-o", "json"); json.Unmarshal([]byte(printed), &info) != nil ||
		info["version"] != "devel" || info["revision"] == "" {
		t.Errorf("%s", printed)
	}
	if code, _ := called(t, "version", "-o", "yaml"); code != terminal.ExitUsage {
		t.Errorf("exit code %d", code)
	}
}
