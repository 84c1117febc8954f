package service

import (
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cors lets browsers call from the configured origins and answers their preflight requests.
func cors(next http.Handler, origins []string, faults *FaultSwitch) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header, origin := w.Header(), r.Header.Get("Origin")
		header.Add("Vary", "Origin")
		switch {
		case faults.Get().CORS:
			header.Set("Access-Control-Allow-Origin", "*")
		case origin != "" && slices.Contains(origins, origin):
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Allow-Credentials", "true")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			header.Set("Access-Control-Allow-Methods", "POST")
			header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Apollo-Require-Preflight, X-Csrf-Token")
			header.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// misbehave applies the faults that concern any request.
func misbehave(next http.Handler, faults *FaultSwitch) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fails, delay := faults.next()
		if delay > 0 {
			timer := time.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
				return
			}
		}
		if fails {
			refuse(w, http.StatusInternalServerError, codeInternal, "internal error")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limiter counts the requests of each address within a window of fixed length, as the real service does.
type limiter struct {
	limit RateLimit
	now   func() time.Time

	mu     sync.Mutex
	resets time.Time
	counts map[string]int
}

// allow counts a request and reports whether it is within the limit, and if not, when to come back.
func (l *limiter) allow(address string) (bool, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !now.Before(l.resets) {
		l.resets, l.counts = now.Add(l.limit.Window), map[string]int{}
	}
	l.counts[address]++
	return l.counts[address] <= l.limit.Max, l.resets.Sub(now)
}

// limitRate refuses requests beyond the limit, /health and what is below it excepted.
func limitRate(next http.Handler, limit RateLimit, now func() time.Time) http.Handler {
	if limit.Max == 0 {
		return next
	}
	l := &limiter{limit: limit, now: now}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" || strings.HasPrefix(r.URL.Path, "/health/") {
			next.ServeHTTP(w, r)
			return
		}
		address, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			address = r.RemoteAddr
		}
		if ok, wait := l.allow(address); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			refuse(w, http.StatusTooManyRequests, codeTooMany, "too many requests from this address")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and passes it on.
func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the writer below.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// logRequests writes a line per request. Headers, queries and bodies may hold tokens and are left out.
func logRequests(next http.Handler, logger *slog.Logger, level slog.Level, path string,
	now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		logger.Log(r.Context(), level, "request",
			"method", r.Method, "path", path, "status", recorder.status, "duration", now().Sub(started))
	})
}
