package smoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http/httpguts"
)

const (
	defaultTimeout = 5 * time.Second
	maxTimeout     = 5 * time.Minute
	maxChecks      = 100
)

// validName is what a suite, a check and an environment may be called: they end up in reports and logs.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

const nameRule = "lower-case letters, digits and hyphens, at most 63"

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct {
	// Low and High are equal for a single code.
	Low, High int
}

// UnmarshalYAML reads 200 or "400-499".
func (r *StatusRange) UnmarshalYAML(node *yaml.Node) error {
	low, high, isRange := strings.Cut(node.Value, "-")
	if !isRange {
		high = low
	}
	var errLow, errHigh error
	r.Low, errLow = strconv.Atoi(low)
	r.High, errHigh = strconv.Atoi(high)
	if errLow != nil || errHigh != nil || r.Low < 100 || r.High > 599 || r.Low > r.High {
		return fmt.Errorf("%q is not a status code or range", clip(node.Value, 64))
	}
	return nil
}

// String writes the range as a suite file does.
func (r StatusRange) String() string {
	if r.Low == r.High {
		return strconv.Itoa(r.Low)
	}
	return fmt.Sprintf("%d-%d", r.Low, r.High)
}

// inCheck says which check an error is about.
func inCheck(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("check %q: %w", clip(name, 64), err)
}

func (s *Suite) validate() error {
	if !validName.MatchString(s.Name) {
		return fmt.Errorf("name: must be %s, got %q", nameRule, clip(s.Name, 64))
	}
	if err := validText(s.Description); err != nil {
		return fmt.Errorf("description: %w", err)
	}
	if err := validTimeout(s.Timeout); err != nil {
		return err
	}
	if s.MaxRequests < 1 {
		return fmt.Errorf("maxRequests: must be at least 1, got %d; it is the number of requests that one pod may get",
			s.MaxRequests)
	}
	for _, path := range s.ExemptPaths {
		if !strings.HasPrefix(path, "/") || len(path) < 2 {
			return fmt.Errorf("exemptPaths: must be paths below /, such as /health, got %q", clip(path, 64))
		}
	}
	if len(s.Checks) == 0 || len(s.Checks) > maxChecks {
		return fmt.Errorf("checks: must hold 1 to %d checks, got %d", maxChecks, len(s.Checks))
	}
	seen := make(map[string]bool)
	for i := range s.Checks {
		check := &s.Checks[i]
		if seen[check.Name] {
			return fmt.Errorf("check %q: the name is given twice; every check needs its own", check.Name)
		}
		seen[check.Name] = true
		if err := check.validate(); err != nil {
			return inCheck(check.Name, err)
		}
	}
	if n := s.Requests(); n > s.MaxRequests {
		return fmt.Errorf("the checks send %d requests outside of exemptPaths to each pod, more than maxRequests: %d; "+
			"remove some or lower a latency check's requests", n, s.MaxRequests)
	}
	return nil
}

func (c *Check) validate() error {
	if !validName.MatchString(c.Name) {
		return fmt.Errorf("name: must be %s", nameRule)
	}
	if err := validText(c.Description); err != nil {
		return fmt.Errorf("description: %w", err)
	}
	if err := validTimeout(c.Timeout); err != nil {
		return err
	}
	switch c.Kind {
	case KindHTTP:
		if c.Latency != nil {
			return fmt.Errorf("latency: only allowed with kind: %s", KindLatency)
		}
	case KindLatency:
		if err := c.validateLatency(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("kind: unknown kind %q; allowed: %s, %s", clip(string(c.Kind), 64), KindHTTP, KindLatency)
	}
	for i := range c.Steps {
		if err := c.Steps[i].validate(); err != nil {
			if len(c.Steps) > 1 {
				return fmt.Errorf("steps[%d]: %w", i, err)
			}
			return err
		}
	}
	return nil
}

func (c *Check) validateLatency() error {
	switch l := c.Latency; {
	case l == nil:
		return errors.New("latency: missing; it needs requests, percentile and max")
	case l.Requests < 1 || l.Requests > 1000:
		return fmt.Errorf("latency.requests: must be 1 to 1000, got %d", l.Requests)
	case l.Percentile < 1 || l.Percentile > 100:
		return fmt.Errorf("latency.percentile: must be 1 to 100, got %d", l.Percentile)
	case l.Max <= 0 || l.Max > c.Timeout:
		return fmt.Errorf("latency.max: must be more than 0 and at most the check's timeout of %s, got %s", c.Timeout, l.Max)
	case len(c.Steps) != 1:
		return fmt.Errorf("steps: a latency check sends one request, got %d", len(c.Steps))
	}
	return nil
}

func (s *Step) validate() error {
	if err := validText(s.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if err := s.Request.validate(); err != nil {
		return fmt.Errorf("request.%w", err)
	}
	if s.Expect == nil && len(s.ExpectIn) == 0 {
		return errors.New("expect: missing; give expect, expectIn or both")
	}
	if s.Expect != nil {
		if err := s.Expect.validate(); err != nil {
			return fmt.Errorf("expect.%w", err)
		}
	}
	for environment, expectation := range s.ExpectIn {
		if !validName.MatchString(environment) {
			return fmt.Errorf("expectIn: an environment must be %s, got %q", nameRule, clip(environment, 64))
		}
		if err := expectation.validate(); err != nil {
			return fmt.Errorf("expectIn.%s.%w", environment, err)
		}
	}
	return nil
}

func (r *Request) validate() error {
	methods := []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions,
	}
	if !slices.Contains(methods, r.Method) {
		return fmt.Errorf("method: unknown method %q; allowed: %s", clip(r.Method, 64), strings.Join(methods, ", "))
	}
	if err := r.validatePath(); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	for name, value := range r.Headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("headers: %q is not a header that HTTP allows", clip(name+": "+value, 64))
		}
		if err := checkTemplates(value); err != nil {
			return fmt.Errorf("headers.%s: %w", name, err)
		}
	}
	if r.Body != "" && r.JSON != nil {
		return errors.New("body: give body or json, not both")
	}
	if err := checkTemplates(r.Body); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	encoded, err := json.Marshal(r.JSON)
	if err != nil {
		return fmt.Errorf("json: cannot be written as JSON: %w", err)
	}
	if err := checkTemplates(string(encoded)); err != nil {
		return fmt.Errorf("json: %w", err)
	}
	return nil
}

func (r *Request) validatePath() error {
	if !strings.HasPrefix(r.Path, "/") || strings.HasPrefix(r.Path, "//") {
		return fmt.Errorf("must start with one slash, got %q", clip(r.Path, 64))
	}
	if err := checkTemplates(r.Path); err != nil {
		return err
	}
	if u, err := url.Parse(placeholder.ReplaceAllString(r.Path, "x")); err != nil || u.Fragment != "" {
		return fmt.Errorf("must be a path with an optional query, got %q", clip(r.Path, 64))
	}
	return nil
}

func (e *Expectation) validate() error {
	if len(e.Status) == 0 {
		return errors.New(`status: missing; list the accepted codes and ranges, such as [200, "400-499"]`)
	}
	for name, match := range e.Headers {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("headers: %q is not a header's name", clip(name, 64))
		}
		if match.Absent == (match.Equals != nil) {
			return fmt.Errorf("headers.%s: give exactly one of absent: true and equals", name)
		}
		if match.Equals != nil {
			if err := checkTemplates(*match.Equals); err != nil {
				return fmt.Errorf("headers.%s: %w", name, err)
			}
		}
	}
	for i := range e.JSON {
		if err := e.JSON[i].validate(); err != nil {
			return fmt.Errorf("json[%d]: %w", i, err)
		}
	}
	if slices.Contains(e.Body.Contains, "") || slices.Contains(e.Body.NotContains, "") {
		return errors.New("body: an empty text occurs in every body; give a longer one")
	}
	return nil
}

func (m *JSONMatch) validate() error {
	if _, err := parsePointer(m.Pointer); err != nil {
		return fmt.Errorf("pointer: %w", err)
	}
	given := 0
	for _, is := range []bool{m.Equals != nil, len(m.In) > 0, m.Exists, m.Absent} {
		if is {
			given++
		}
	}
	if given != 1 {
		return fmt.Errorf("give exactly one of equals, in, exists: true and absent: true, got %d", given)
	}
	for _, value := range append([]any{m.Equals}, m.In...) {
		switch value.(type) {
		case nil, string, bool, int, int64, uint64, float64:
		default:
			return errors.New("equals and in compare with texts, numbers, true and false only")
		}
	}
	return nil
}

// validText refuses what would break a line of the report.
func validText(text string) error {
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		return fmt.Errorf("must be one line of printable text, got %q", clip(text, 64))
	}
	return nil
}

func validTimeout(timeout time.Duration) error {
	if timeout <= 0 || timeout > maxTimeout {
		return fmt.Errorf("timeout: must be more than 0 and at most %s, got %s", maxTimeout, timeout)
	}
	return nil
}
