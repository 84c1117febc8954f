//go:build e2e

package dashboard

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vextrus/finance-rollout/internal/cli/status"
)

var picture = flag.String("picture", "", "file to write a screenshot of the dashboard to")

// patience bounds every wait for the browser.
const patience = time.Minute

// tab is a page in a headless browser, driven by the DevTools protocol.
type tab struct {
	t    *testing.T
	wire *websocket.Conn
	id   int
}

// openTab starts a browser on an address. The browser reaches nothing but 127.0.0.1.
func openTab(t *testing.T, address string) *tab {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatal("chromium is missing: run `.local/bin/local packages`, or apt-get install chromium")
	}
	profile := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
		"--user-data-dir="+profile, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--remote-debugging-port=0", "--window-size=1000,1100", address)
	// A browser leaves processes of its own behind unless it may end them.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = command.Wait() })
	var port string
	wait(t, "the browser listens", func() bool {
		text, err := os.ReadFile(filepath.Join(profile, "DevToolsActivePort"))
		port, _, _ = strings.Cut(string(text), "\n")
		return err == nil && port != ""
	})
	var pages []struct{ Type, WebSocketDebuggerURL string }
	wait(t, "the browser has a page", func() bool {
		answer, err := http.Get("http://127.0.0.1:" + port + "/json/list")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return json.NewDecoder(answer.Body).Decode(&pages) == nil && len(pages) > 0 && pages[0].Type == "page"
	})
	wire, answer, err := websocket.DefaultDialer.DialContext(t.Context(), pages[0].WebSocketDebuggerURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(answer.Body.Close(), wire.Close()) })
	return &tab{t: t, wire: wire}
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// call asks the browser for something.
func (b *tab) call(method string, params map[string]any) map[string]any {
	b.t.Helper()
	result, problem := b.ask(method, params)
	if problem != nil {
		b.t.Fatalf("%s: %v", method, problem)
	}
	return result
}

// ask asks the browser for something that it may refuse.
func (b *tab) ask(method string, params map[string]any) (result, problem map[string]any) {
	b.t.Helper()
	b.id++
	_ = b.wire.SetReadDeadline(time.Now().Add(patience))
	if err := b.wire.WriteJSON(map[string]any{"id": b.id, "method": method, "params": params}); err != nil {
		b.t.Fatal(err)
	}
	for {
		var answer struct {
			ID            int
			Result, Error map[string]any
		}
		if err := b.wire.ReadJSON(&answer); err != nil {
			b.t.Fatal(err)
		}
		if answer.ID == b.id {
			return answer.Result, answer.Error
		}
	}
}

// value is that of an expression in the page; empty while the page is being loaded.
func (b *tab) value(expression string) string {
	b.t.Helper()
	answer, problem := b.ask("Runtime.evaluate", map[string]any{"expression": "String(" + expression + ")"})
	if problem != nil {
		return ""
	}
	result, _ := answer["result"].(map[string]any)
	return fmt.Sprint(result["value"])
}

// shows waits until the page has a text.
func (b *tab) shows(text string) {
	b.t.Helper()
	wait(b.t, "the page shows "+text, func() bool { return strings.Contains(b.value("document.body.innerText"), text) })
}

// press presses a key.
func (b *tab) press(key string) {
	b.t.Helper()
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": key, "text": key})
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key})
}

// replaced is a server whose handler can be replaced, which ends its connections.
type replaced struct {
	mu      sync.Mutex
	handler http.Handler
	end     context.CancelFunc
	ctx     context.Context
}

func (r *replaced) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	handler, ended := r.handler, r.ctx
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	defer context.AfterFunc(ended, cancel)()
	handler.ServeHTTP(w, request.WithContext(ctx))
}

func (r *replaced) by(handler http.Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end != nil {
		r.end()
	}
	r.handler = handler
	r.ctx, r.end = context.WithCancel(context.Background())
}

func start(t *testing.T, source Source) *Watch {
	t.Helper()
	watch := NewWatch(source, 200*time.Millisecond, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	return watch
}

// The page runs in a browser under its own policy. It shows a shift that it gets by events, keeps what the reader has
// opened, says when nobody answers, and goes on after a restart of the server with the same token.
func TestInABrowser(t *testing.T) {
	c := &cluster{current: soaking()}
	way := &replaced{}
	way.by(served(start(t, c.source())))
	server := httptest.NewServer(way)
	defer server.Close()
	defer way.by(http.NotFoundHandler())
	b := openTab(t, server.URL+"/?token="+token)
	b.shows("v2 soaks at 10 %")
	b.shows("live")
	if address := b.value("location.href"); strings.Contains(address, "token") {
		t.Errorf("the address bar has the token: %s", address)
	}
	c.change(func(s *status.Status) { s.Weight.Stands, s.Summary = pointer(30), "v2 soaks at 30 % "+lies })
	b.shows("v2 soaks at 30 %")
	title, images := b.value("document.title"), b.value("document.images.length")
	if title != "finance-service v2: soaking" || images != "0" {
		t.Errorf("title %q, %s images", title, images)
	}
	b.press("3")
	if focused := b.value("document.activeElement.id"); focused != "soak" {
		t.Errorf("the key 3 goes to %q", focused)
	}
	b.press("j")
	if focused := b.value("document.activeElement.id"); focused != "charts" {
		t.Errorf("the key j goes to %q", focused)
	}
	way.by(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "starting", http.StatusBadGateway)
	}))
	b.shows("refused: is it still served?")
	c.change(func(s *status.Status) { s.Summary = "after the restart" })
	way.by(served(start(t, c.source())))
	b.shows("after the restart")
	wait(t, "live again", func() bool { return b.value(`document.getElementById("live").textContent`) == "live" })
	c.change(func(s *status.Status) { *s = status.Status{Unreachable: "connection refused"} })
	b.shows("The cluster does not answer since")
}

// On a telephone nothing is wider than the screen, and the dark scheme has its own colours.
func TestOnATelephone(t *testing.T) {
	view := full()
	watch := watching(Source{})
	watch.view = view
	watch.publish()
	server := httptest.NewServer(served(watch))
	defer server.CloseClientConnections()
	b := openTab(t, server.URL+"/?token="+token)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 360, "height": 740, "deviceScaleFactor": 2,
		"mobile": true})
	b.shows("does not answer since")
	if wide := b.value("document.documentElement.scrollWidth"); wide != "360" {
		t.Errorf("the page is %s pixels wide on a screen of 360", wide)
	}
	colors := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme",
			"value": scheme}}})
		colors[b.value("getComputedStyle(document.body).backgroundColor")] = true
	}
	if len(colors) != 2 {
		t.Errorf("light and dark are %v", colors)
	}
}

// The screenshot of the documentation is this page, written with -picture.
func TestPicture(t *testing.T) {
	source := Source{Status: func(context.Context) *status.Status { return soaking() }}
	server := httptest.NewServer(served(start(t, source)))
	defer server.CloseClientConnections()
	b := openTab(t, server.URL+"/?token="+token)
	b.shows("v2 soaks at 10 %")
	b.shows("live")
	result := b.call("Page.captureScreenshot", map[string]any{"format": "png"})
	image, err := base64.StdEncoding.DecodeString(fmt.Sprint(result["data"]))
	if err != nil || len(image) < 10<<10 || len(image) > 200<<10 {
		t.Fatalf("%d bytes, %v", len(image), err)
	}
	if *picture != "" {
		if err := os.WriteFile(*picture, image, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
