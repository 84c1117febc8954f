package smoke

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kind says how a check judges the pod.
type Kind string

const (
	// KindHTTP sends each step once and compares the answer with the step's expectation.
	KindHTTP Kind = "http"
	// KindLatency sends its request many times, one after the other, and compares a percentile of the times with a
	// limit. It runs when no other check does.
	KindLatency Kind = "latency"
)

// Suite is a list of checks together with the limits that they keep. It is read with [Load] or [Parse], which
// guarantee what the fields below promise, and it is not changed afterwards.
type Suite struct {
	// Name identifies the suite in reports.
	Name string
	// Description says which service the suite is for.
	Description string
	// MaxRequests is the most requests that the suite may send to one pod, not counting ExemptPaths. Services
	// that limit requests per address answer 429 beyond it.
	MaxRequests int
	// ExemptPaths are paths that the service does not rate-limit; a path below one of them is exempt too.
	ExemptPaths []string
	// Timeout is the time that a check has, unless it says otherwise. Default 5 s.
	Timeout time.Duration
	// Checks holds at least one check; their names are unique.
	Checks []Check
}

// Check is one line of the report.
type Check struct {
	// Name identifies the check in the report: lower case, digits and hyphens.
	Name string
	// Description says what the check protects from.
	Description string
	// Kind is KindHTTP if not given.
	Kind Kind
	// Timeout is the time for all steps together; for a latency check it is the time for one request.
	Timeout time.Duration
	// Latency holds the limit of a latency check and is nil for every other kind.
	Latency *Latency
	// Steps are sent in order; the first that fails decides. At least one, and exactly one in a latency check. A suite
	// file may write a single step's fields in the check itself instead.
	Steps []Step
}

// Step is a request and what is expected of the answer.
type Step struct {
	// Name tells the steps of a check apart in the reason of a failure. Optional.
	Name string `yaml:"name"`
	// Request is what to send.
	Request Request `yaml:"request"`
	// Expect applies in every environment that ExpectIn does not name.
	Expect *Expectation `yaml:"expect"`
	// ExpectIn replaces Expect in the environments that it names.
	ExpectIn map[string]*Expectation `yaml:"expectIn"`
}

// Request describes an HTTP request. Path, header values, Body and the strings within JSON may hold templated values
// such as {{token}}.
type Request struct {
	// Method is GET if not given.
	Method string `yaml:"method"`
	// Path starts with a slash and may hold a query.
	Path string `yaml:"path"`
	// Headers are set as given.
	Headers map[string]string `yaml:"headers"`
	// Body is sent as it is. At most one of Body and JSON is given.
	Body string `yaml:"body"`
	// JSON is sent encoded, with Content-Type application/json unless Headers name another.
	JSON any `yaml:"json"`
}

// Expectation is what must hold for an answer; all of it must.
type Expectation struct {
	// Status lists codes (200) and inclusive ranges ("400-499"), any of which is accepted. At least one.
	Status []StatusRange `yaml:"status"`
	// Headers are compared by name without regard to case.
	Headers map[string]HeaderMatch `yaml:"headers"`
	// JSON looks into the answer's body, which must then be JSON.
	JSON []JSONMatch `yaml:"json"`
	// Body looks at the body's text.
	Body BodyMatch `yaml:"body"`
}

// HeaderMatch is a condition on one header; exactly one field is given.
type HeaderMatch struct {
	// Absent is true if the header must not be there.
	Absent bool `yaml:"absent"`
	// Equals is the value that the header must have; it may be templated.
	Equals *string `yaml:"equals"`
}

// JSONMatch is a condition on one value within a JSON body; exactly one of the fields besides Pointer is given.
type JSONMatch struct {
	// Pointer names the value as a JSON Pointer (RFC 6901): /errors/0/extensions/code.
	Pointer string `yaml:"pointer"`
	// Equals is the scalar that the value must be equal to.
	Equals any `yaml:"equals"`
	// In lists scalars, one of which the value must be equal to.
	In []any `yaml:"in"`
	// Exists is true if the value must be there and not be null.
	Exists bool `yaml:"exists"`
	// Absent is true if the value must be missing or null.
	Absent bool `yaml:"absent"`
}

// BodyMatch holds conditions on a body's text.
type BodyMatch struct {
	// Contains lists texts that must all occur.
	Contains []string `yaml:"contains"`
	// NotContains lists texts of which none may occur.
	NotContains []string `yaml:"notContains"`
}

// Latency is the limit of a latency check.
type Latency struct {
	// Requests is how many requests are sent, 1 to 1000.
	Requests int `yaml:"requests"`
	// Percentile is the nearest-rank percentile that is compared, 1 to 100.
	Percentile int `yaml:"percentile"`
	// Max is the highest time that the percentile may have.
	Max time.Duration `yaml:"max"`
}

// Target is a pod to check.
type Target struct {
	// Name is the pod's name in the report.
	Name string
	// BaseURL is where the pod is reached, http://127.0.0.1:31415 for example. A path in it is kept as a prefix.
	BaseURL string
	// Client sends the requests; nil means a client with a connection pool of its own. Redirects are never followed:
	// the redirect itself is the answer.
	Client *http.Client
}

// Requests counts the requests that the suite sends to one pod outside of ExemptPaths, if every check passes.
func (s *Suite) Requests() int {
	total := 0
	for _, c := range s.Checks {
		repeat := 1
		if c.Latency != nil {
			repeat = c.Latency.Requests
		}
		for _, step := range c.Steps {
			if !s.exempt(step.Request.Path) {
				total += repeat
			}
		}
	}
	return total
}

// exempt reports whether a request path lies at or below one of ExemptPaths.
func (s *Suite) exempt(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	return slices.ContainsFunc(s.ExemptPaths, func(prefix string) bool {
		prefix = strings.TrimSuffix(prefix, "/")
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	})
}
