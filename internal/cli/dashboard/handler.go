package dashboard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	// beatEvery is the time between two signs of life, so that the page knows when nobody answers.
	beatEvery = 5 * time.Second
	// writeLimit bounds a write to a browser that has gone away.
	writeLimit = 10 * time.Second
	// mostLookers bounds the pages that are open at a time.
	mostLookers = 32
	// cookieName is the prefix of the cookie's name; the port follows, because cookies of one host are shared by its
	// ports.
	cookieName = "rollout-dashboard"
)

// NewToken makes a token of 256 random bits.
func NewToken() string {
	var raw [32]byte
	// Read of crypto/rand never fails.
	_, _ = rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Access says who may read.
type Access struct {
	// Token gives the token at every request, so that a new one counts at once.
	Token func() (string, error)
	// Anywhere takes every name as the host. Else only names of this machine are taken: a page elsewhere whose name is
	// bound to 127.0.0.1 gets nothing.
	Anywhere bool
	// Hint tells somebody without the token where it is.
	Hint string
}

// handler serves one page.
type handler struct {
	watch *Watch
	seats chan struct{}
}

// NewHandler serves the page at / and its changes at /events to this machine, and only to who has the token.
func NewHandler(watch *Watch, token func() (string, error)) http.Handler {
	return Protect(Access{Token: token, Hint: "open the address that `rollout dashboard` printed"}, NewPage(watch))
}

// NewPage serves the page at / and its changes at /events, to everybody: see [Protect].
func NewPage(watch *Watch) http.Handler {
	h := &handler{watch: watch, seats: make(chan struct{}, mostLookers)}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", h.page)
	mux.HandleFunc("/events", h.events)
	return mux
}

// Protect lets only reading requests pass, and only with the token. It comes as the parameter "token", which turns into
// a cookie, or as a bearer token.
func Protect(access Access, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers := w.Header()
		headers.Set("Content-Security-Policy", policy)
		headers.Set("X-Content-Type-Options", "nosniff")
		headers.Set("X-Frame-Options", "DENY")
		headers.Set("Referrer-Policy", "no-referrer")
		headers.Set("Cross-Origin-Resource-Policy", "same-origin")
		headers.Set("Cross-Origin-Opener-Policy", "same-origin")
		headers.Set("Cache-Control", "no-store")
		switch {
		case !access.Anywhere && !isHere(r.Host):
			http.Error(w, "this page is served to this machine alone, as 127.0.0.1 or localhost", http.StatusForbidden)
		case !isOwn(r):
			http.Error(w, "this page is not for the pages of other addresses", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			headers.Set("Allow", "GET, HEAD")
			http.Error(w, "this page can only be read", http.StatusMethodNotAllowed)
		default:
			access.admit(w, r, next)
		}
	})
}

// isHere reports whether a request names this machine as its host.
func isHere(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && address.IsLoopback()
}

// isOwn reports whether a request comes from the page itself or from no page at all.
func isOwn(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	from, err := url.Parse(origin)
	return err == nil && from.Host == r.Host
}

// admit serves who has the token.
func (a Access) admit(w http.ResponseWriter, r *http.Request, next http.Handler) {
	token, err := a.Token()
	if err != nil || token == "" {
		http.Error(w, "the token of this page cannot be read", http.StatusInternalServerError)
		return
	}
	query := r.URL.Query()
	if given := query.Get("token"); given != "" && same(given, token) {
		//nolint:gosec // over plain HTTP, as on this machine, a Secure cookie would not come back
		http.SetCookie(w, &http.Cookie{Name: cookieFor(r.Host), Value: session(token), Path: "/", HttpOnly: true,
			Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
		// The token leaves the address bar and the history. The way is relative, so that it never leads elsewhere.
		w.Header().Set("Location", "./")
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	cookie, err := r.Cookie(cookieFor(r.Host))
	if isBearer && same(bearer, token) || err == nil && same(cookie.Value, session(token)) {
		next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="rollout dashboard"`)
	http.Error(w, "the token is missing or wrong: "+a.Hint, http.StatusUnauthorized)
}

// same compares in constant time, whatever the lengths are.
func same(given, want string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// session is the cookie's value. It follows from the token, so that it holds over a restart of the server, and does not
// give the token away.
func session(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = mac.Write([]byte("rollout dashboard session"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func cookieFor(host string) string {
	if _, port, err := net.SplitHostPort(host); err == nil {
		return cookieName + "-" + port
	}
	return cookieName
}

// List serves links to the pages of rollouts, which lie below it by their names.
func List(w http.ResponseWriter, rollouts []string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A browser that has gone away needs no list.
	_ = pages.ExecuteTemplate(w, "list", rollouts)
}

func (h *handler) page(w http.ResponseWriter, _ *http.Request) {
	rendered, _ := h.watch.snapshot()
	text, err := page(rendered)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A browser that has gone away needs no page.
	_, _ = fmt.Fprint(w, text)
}

// events sends all sections at first, and then those that change. A browser that is slow gets the newest ones.
func (h *handler) events(w http.ResponseWriter, r *http.Request) {
	select {
	case h.seats <- struct{}{}:
		defer func() { <-h.seats }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d pages are open already: close one", mostLookers), http.StatusServiceUnavailable)
		return
	}
	defer h.watch.enter()()
	w.Header().Set("Content-Type", "text/event-stream")
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	sent := map[string]string{}
	if err := send(w, "hello", map[string]string{}); err != nil {
		return
	}
	for {
		rendered, changed := h.watch.snapshot()
		news := map[string]string{}
		for id, text := range rendered {
			if known, ok := sent[id]; !ok || known != text {
				news[id], sent[id] = text, text
			}
		}
		if len(news) > 0 {
			if err := send(w, "sections", news); err != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-beat.C:
			if err := send(w, "beat", map[string]string{}); err != nil {
				return
			}
		}
	}
}

// send writes one event.
func send(w http.ResponseWriter, event string, data map[string]string) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	// Not every writer has deadlines; those of net/http do.
	_ = control.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := fmt.Fprintf(w, "retry: 1000\nevent: %s\ndata: %s\n\n", event, encoded); err != nil {
		return err
	}
	return control.Flush()
}
