package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vextrus/finance-rollout/internal/cli/evidence"
	"github.com/vextrus/finance-rollout/internal/cli/status"
)

const token = "a-token-of-the-test"

func served(watch *Watch) http.Handler {
	return NewHandler(watch, func() (string, error) { return token, nil })
}

func watching(source Source) *Watch {
	return NewWatch(source, time.Second, slog.New(slog.DiscardHandler))
}

func TestOnlyTheTokenOpensThePage(t *testing.T) {
	handler := served(watching(Source{}))
	cookie := "rollout-dashboard-8123=" + session(token)
	for name, tt := range map[string]struct {
		method, path, host, header, value string
		code                              int
	}{
		"no token":              {"GET", "/", "127.0.0.1:8123", "", "", 401},
		"wrong token":           {"GET", "/?token=a-token-of-the-tesT", "127.0.0.1:8123", "", "", 401},
		"a part of the token":   {"GET", "/?token=a-token", "127.0.0.1:8123", "", "", 401},
		"empty token":           {"GET", "/?token=", "127.0.0.1:8123", "", "", 401},
		"token":                 {"GET", "/?token=" + token, "127.0.0.1:8123", "", "", 303},
		"token, and elsewhere":  {"GET", "//evil.example/?token=" + token, "127.0.0.1:8123", "", "", 303},
		"bearer":                {"GET", "/", "127.0.0.1:8123", "Authorization", "Bearer " + token, 200},
		"basic":                 {"GET", "/", "127.0.0.1:8123", "Authorization", "Basic " + token, 401},
		"cookie":                {"GET", "/", "127.0.0.1:8123", "Cookie", cookie, 200},
		"the token as cookie":   {"GET", "/", "127.0.0.1:8123", "Cookie", "rollout-dashboard-8123=" + token, 401},
		"another port's cookie": {"GET", "/", "127.0.0.1:8124", "Cookie", cookie, 401},
		"localhost":             {"GET", "/", "localhost:8123", "Cookie", cookie, 200},
		"version 6":             {"GET", "/", "[::1]:8123", "Cookie", cookie, 200},
		"a name bound here":     {"GET", "/?token=" + token, "rebound.example:8123", "", "", 403},
		"a name like here":      {"GET", "/?token=" + token, "127.0.0.1.example:8123", "", "", 403},
		"another address":       {"GET", "/?token=" + token, "10.0.0.7:8123", "", "", 403},
		"no host":               {"GET", "/?token=" + token, "", "", "", 403},
		"events without":        {"GET", "/events", "127.0.0.1:8123", "", "", 401},
		"unknown without":       {"GET", "/else", "127.0.0.1:8123", "", "", 401},
		"unknown":               {"GET", "/else", "127.0.0.1:8123", "Cookie", cookie, 404},
		"post":                  {"POST", "/", "127.0.0.1:8123", "Cookie", cookie, 405},
		"delete":                {"DELETE", "/events", "127.0.0.1:8123", "Cookie", cookie, 405},
		"head":                  {"HEAD", "/", "127.0.0.1:8123", "Cookie", cookie, 200},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(tt.method, tt.path, nil)
			request.Host = tt.host
			if tt.header != "" {
				request.Header.Set(tt.header, tt.value)
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != tt.code {
				t.Errorf("%d, want %d: %s", recorder.Code, tt.code, recorder.Body)
			}
			headers := recorder.Header()
			if headers.Get("Content-Security-Policy") != policy || headers.Get("Cache-Control") != "no-store" ||
				headers.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", headers)
			}
			if location := headers.Get("Location"); location != "" && location != "./" {
				t.Errorf("the answer leads to %q", location)
			}
			if strings.Contains(recorder.Body.String(), token) {
				t.Error("the answer holds the token")
			}
		})
	}
	foreign := httptest.NewRequest(http.MethodGet, "/events", nil)
	foreign.Host = "127.0.0.1:8123"
	foreign.Header.Set("Cookie", cookie)
	foreign.Header.Set("Origin", "http://127.0.0.1:9999")
	recorder := httptest.NewRecorder()
	if handler.ServeHTTP(recorder, foreign); recorder.Code != http.StatusForbidden {
		t.Errorf("a page of another port gets %d", recorder.Code)
	}
}

// The token turns into a cookie that scripts cannot read and that is not the token.
func TestTheTokenLeavesTheAddress(t *testing.T) {
	request := httptest.NewRequest(http.MethodGet, "/?token="+token, nil)
	request.Host = "127.0.0.1:8123"
	recorder := httptest.NewRecorder()
	served(watching(Source{})).ServeHTTP(recorder, request)
	set := recorder.Result().Cookies()
	if len(set) != 1 || !set[0].HttpOnly || set[0].SameSite != http.SameSiteStrictMode || set[0].Value == token ||
		recorder.Header().Get("Location") != "./" {
		t.Errorf("cookies %v, to %q", set, recorder.Header().Get("Location"))
	}
	if a, b := NewToken(), NewToken(); a == b || len(a) < 43 {
		t.Errorf("tokens %s and %s", a, b)
	}
}

func TestATokenThatCannotBeReadOpensNothing(t *testing.T) {
	for _, read := range []func() (string, error){
		func() (string, error) { return "", nil }, func() (string, error) { return token, errors.New("no file") },
	} {
		request := httptest.NewRequest(http.MethodGet, "/?token=", nil)
		request.Host = "localhost"
		request.Header.Set("Authorization", "Bearer "+token)
		recorder := httptest.NewRecorder()
		NewHandler(watching(Source{}), read).ServeHTTP(recorder, request)
		if recorder.Code != http.StatusInternalServerError {
			t.Errorf("%d", recorder.Code)
		}
	}
}

// browser reads the events of one connection.
type browser struct {
	mu     sync.Mutex
	header http.Header
	text   strings.Builder
	code   int
	leave  context.CancelFunc
}

func (b *browser) Header() http.Header { return b.header }
func (b *browser) WriteHeader(code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.code = code
}
func (b *browser) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}
func (b *browser) Flush() {}

// heard are the events since the last call: their names, and the newest text of each section.
func (b *browser) heard(t *testing.T) (names []string, news map[string]string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	news = map[string]string{}
	for event := range strings.SplitSeq(b.text.String(), "\n\n") {
		for line := range strings.Lines(event) {
			line = strings.TrimSuffix(line, "\n")
			if name, ok := strings.CutPrefix(line, "event: "); ok {
				names = append(names, name)
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				if err := json.Unmarshal([]byte(data), &news); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	b.text.Reset()
	return names, news
}

func open(t *testing.T, handler http.Handler) *browser {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := &browser{header: http.Header{}, leave: cancel}
	request := httptest.NewRequest(http.MethodGet, "/events", nil).WithContext(ctx)
	request.Host = "localhost:1"
	request.Header.Set("Authorization", "Bearer "+token)
	go handler.ServeHTTP(b, request)
	return b
}

// cluster is the source of a test, which can be changed while it is watched.
type cluster struct {
	mu      sync.Mutex
	current *status.Status
	looks   int
	failing error
}

func (c *cluster) source() Source {
	return Source{
		Status: func(context.Context) *status.Status {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.looks++
			copied := *c.current
			copied.Time = time.Now()
			return &copied
		},
		Evidence: func(context.Context, *status.Status) ([]evidence.Summary, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return []evidence.Summary{}, c.failing
		},
	}
}

func (c *cluster) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = err
}

func (c *cluster) looked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looks
}

func (c *cluster) change(change func(*status.Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := *c.current
	change(&copied)
	c.current = &copied
}

// A shift is on the page a second later, and only what changed is sent.
func TestAShiftIsSentWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{current: soaking()}
		watch := watching(c.source())
		ctx, stop := context.WithCancel(t.Context())
		go watch.Run(ctx)
		time.Sleep(10 * time.Second)
		if looks := c.looked(); looks != 0 {
			t.Errorf("%d looks while nobody looks at the page", looks)
		}
		b := open(t, served(watch))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		names, news := b.heard(t)
		if names[0] != "hello" || len(news) != len(sections) || !strings.Contains(news["weight"], "9.6 %") ||
			b.Header().Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%q with %d sections", names, len(news))
		}
		c.change(func(s *status.Status) { s.Weight.Stands = pointer(30) })
		time.Sleep(time.Second)
		synctest.Wait()
		if _, news = b.heard(t); !strings.Contains(news["weight"], "30 %") || news["ledger"] != "" || news["charts"] != "" {
			t.Errorf("one second after the shift: %v", news)
		}
		b.leave()
		synctest.Wait()
		before := c.looked()
		time.Sleep(time.Minute)
		if looks := c.looked() - before; looks > 1 {
			t.Errorf("%d looks after the page was closed", looks)
		}
		again := open(t, served(watch))
		time.Sleep(time.Second)
		synctest.Wait()
		if _, news = again.heard(t); len(news) != len(sections) || !strings.Contains(news["weight"], "30 %") {
			t.Errorf("connected again, the page gets %d sections", len(news))
		}
		stop()
		again.leave()
		synctest.Wait()
	})
}

// While the API server is away, the page shows the last look and since when; it goes on by itself.
func TestAnOutageIsShownAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{current: soaking(), failing: errors.New("not yet")}
		watch := watching(c.source())
		ctx, stop := context.WithCancel(t.Context())
		go watch.Run(ctx)
		b := open(t, served(watch))
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if _, news := b.heard(t); !strings.Contains(news["evidence"], "Not read: not yet") {
			t.Errorf("evidence %q", news["evidence"])
		}
		last := time.Now().Truncate(time.Second)
		c.change(func(s *status.Status) {
			*s = status.Status{Phase: status.PhaseUnknown, Unreachable: "connection refused"}
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		names, news := b.heard(t)
		want := "does not answer since " + last.UTC().Format("2006-01-02 15:04:05")
		if !strings.Contains(news["summary"], want) || !strings.Contains(news["summary"], "v2 soaks at 10 %") ||
			strings.Contains(strings.Join(names, ""), "sectionssections") {
			t.Errorf("during the outage, want %q: %d events, %s", want, len(names), news["summary"])
		}
		c.change(func(s *status.Status) { *s = *soaking() })
		c.fail(nil)
		time.Sleep(evidenceEvery)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, news = b.heard(t); news["summary"] == "" || strings.Contains(news["summary"], "does not answer") ||
			!strings.Contains(news["evidence"], "No canary was rolled back.") {
			t.Errorf("after the outage: %v", news)
		}
		stop()
		b.leave()
		synctest.Wait()
	})
}

// Before the first answer of the cluster the page says why there is none.
func TestAClusterThatNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{current: &status.Status{Phase: status.PhaseUnknown, Unreachable: "no route to host"}}
		watch := watching(c.source())
		ctx, stop := context.WithCancel(t.Context())
		go watch.Run(ctx)
		b := open(t, served(watch))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if _, news := b.heard(t); !strings.Contains(news["summary"], "no route to host") {
			t.Errorf("%v", news)
		}
		stop()
		b.leave()
		synctest.Wait()
	})
}

func TestNoMorePagesThanSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := served(watching(Source{}))
		var list []*browser
		for range mostLookers {
			list = append(list, open(t, handler))
		}
		synctest.Wait()
		late := open(t, handler)
		synctest.Wait()
		if late.code != http.StatusServiceUnavailable {
			t.Errorf("one too many gets %d", late.code)
		}
		list[0].leave()
		synctest.Wait()
		next := open(t, handler)
		synctest.Wait()
		if names, _ := next.heard(t); len(names) == 0 {
			t.Error("a seat that is free again is not given")
		}
		for _, b := range append(list, next, late) {
			b.leave()
		}
		synctest.Wait()
	})
}
