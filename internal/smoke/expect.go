package smoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// answer is what a pod sent back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// expectation chooses what to expect in an environment.
func (s *Step) expectation(environment string) (*Expectation, error) {
	if e, ok := s.ExpectIn[environment]; ok {
		return e, nil
	}
	if s.Expect != nil {
		return s.Expect, nil
	}
	known := make([]string, 0, len(s.ExpectIn))
	for name := range s.ExpectIn {
		known = append(known, name)
	}
	slices.Sort(known)
	return nil, fmt.Errorf("the suite expects nothing in environment %q; it knows %s", environment,
		strings.Join(known, ", "))
}

// compare returns how the answer differs from the expectation, or "" if it does not. The text is not yet cleaned. An
// error means that the expectation could not be worked out.
func (e *Expectation) compare(a *answer, values Values, clean cleaner) (string, error) {
	if !slices.ContainsFunc(e.Status, func(r StatusRange) bool { return r.Low <= a.status && a.status <= r.High }) {
		return fmt.Sprintf("status: expected %s, got %d with body %s", join(e.Status), a.status, a.excerpt(clean)), nil
	}
	for name, match := range e.Headers {
		difference, err := match.compare(a.header.Values(name), values)
		if err != nil || difference != "" {
			return fmt.Sprintf("header %s: %s", name, difference), err
		}
	}
	if difference := e.compareJSON(a, clean); difference != "" {
		return difference, nil
	}
	return e.compareBody(a, clean), nil
}

func (m HeaderMatch) compare(got []string, values Values) (string, error) {
	if m.Absent {
		if len(got) > 0 {
			return fmt.Sprintf("expected none, got %q", strings.Join(got, ", ")), nil
		}
		return "", nil
	}
	want, err := values.expand(*m.Equals)
	if err != nil {
		return "", err
	}
	switch {
	case len(got) == 0:
		return fmt.Sprintf("expected %q, got none", want), nil
	case len(got) > 1 || got[0] != want:
		return fmt.Sprintf("expected %q, got %q", want, strings.Join(got, ", ")), nil
	}
	return "", nil
}

func (e *Expectation) compareJSON(a *answer, clean cleaner) string {
	if len(e.JSON) == 0 {
		return ""
	}
	var body any
	if err := json.Unmarshal(a.body, &body); err != nil {
		return fmt.Sprintf("body: expected JSON, got status %d with body %s", a.status, a.excerpt(clean))
	}
	for _, match := range e.JSON {
		if difference := match.compare(body); difference != "" {
			return fmt.Sprintf("json %s: %s, status %d with body %s", match.Pointer, difference, a.status, a.excerpt(clean))
		}
	}
	return ""
}

func (m *JSONMatch) compare(body any) string {
	tokens, _ := parsePointer(m.Pointer) // The loader checked it.
	got := lookup(body, tokens)
	switch {
	case m.Absent && got != nil:
		return "expected no value, got " + quote(got)
	case m.Absent:
		return ""
	case got == nil && m.Exists:
		return "expected a value, got none"
	case m.Exists:
		return ""
	}
	wanted := m.In
	if m.Equals != nil {
		wanted = []any{m.Equals}
	}
	texts := make([]string, len(wanted))
	for i, want := range wanted {
		if got == number(want) {
			return ""
		}
		texts[i] = quote(want)
	}
	if got == nil {
		return fmt.Sprintf("expected %s, got none", strings.Join(texts, " or "))
	}
	return fmt.Sprintf("expected %s, got %s", strings.Join(texts, " or "), quote(got))
}

func (e *Expectation) compareBody(a *answer, clean cleaner) string {
	text := string(a.body)
	for _, want := range e.Body.Contains {
		if !strings.Contains(text, want) {
			return fmt.Sprintf("body: expected it to contain %q, got status %d with body %s", want, a.status, a.excerpt(clean))
		}
	}
	for _, unwanted := range e.Body.NotContains {
		if strings.Contains(text, unwanted) {
			return fmt.Sprintf("body: expected it not to contain %q, got status %d with body %s", unwanted, a.status,
				a.excerpt(clean))
		}
	}
	return ""
}

// excerpt is the beginning of the body, cleaned before it is cut.
func (a *answer) excerpt(clean cleaner) string {
	if len(a.body) == 0 {
		return "(empty)"
	}
	return clean.text(string(a.body), maxExcerpt)
}

// number turns the numbers of YAML into the one that JSON has, so that values compare with ==.
func number(value any) any {
	switch n := value.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	}
	return value
}

func quote(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%v", value)
	}
	return clip(string(encoded), maxExcerpt)
}

func join(ranges []StatusRange) string {
	texts := make([]string, len(ranges))
	for i, r := range ranges {
		texts[i] = r.String()
	}
	return strings.Join(texts, " or ")
}

// parsePointer splits a JSON Pointer (RFC 6901) into its reference tokens.
func parsePointer(pointer string) ([]string, error) {
	if !strings.HasPrefix(pointer, "/") {
		return nil, fmt.Errorf("must be a JSON Pointer such as /data/0/name, got %q", clip(pointer, 64))
	}
	tokens := strings.Split(pointer[1:], "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i, token := range tokens {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(token), "~") {
			return nil, errors.New("in a JSON Pointer ~ is written ~0, and / within a name ~1")
		}
		tokens[i] = unescape.Replace(token)
	}
	return tokens, nil
}

// lookup follows reference tokens and returns nil where nothing, or null, is found.
func lookup(value any, tokens []string) any {
	for _, token := range tokens {
		switch container := value.(type) {
		case map[string]any:
			value = container[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(container) {
				return nil
			}
			value = container[i]
		default:
			return nil
		}
	}
	return value
}
