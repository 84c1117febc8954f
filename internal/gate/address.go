package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// Address is where a criterion's value comes from in place of Prometheus: an answer in JSON with the value in a field.
// It holds no credential.
type Address struct {
	URL string
	// Method is GET where it is empty. Body is JSON.
	Method string `json:",omitempty"`
	Body   string `json:",omitempty"`
	// Field is the JSONPath of the value, as kubectl writes it.
	Field string
	// Login names what gets the request in; empty for nothing.
	Login string `json:",omitempty"`
}

// String is what is asked, for people.
func (a Address) String() string {
	method := a.Method
	if method == "" {
		method = "GET"
	}
	text := method + " " + a.URL
	if a.Body != "" {
		text += " with " + a.Body
	}
	return text + ", field " + a.Field
}

// Teller asks an address for its number. An [Asker] that is none knows Prometheus alone.
type Teller interface {
	Tell(ctx context.Context, address Address) (float64, error)
}

// errNoTeller is the error of a look that has no way to an address.
var errNoTeller = errors.New("only Prometheus is asked here, and the value is elsewhere")

func (a Address) value(ctx context.Context, asker Asker, rollout Rollout, window Window, result *Result) (float64,
	error) {
	teller, ok := asker.(Teller)
	if !ok {
		return 0, errNoTeller
	}
	asked, err := a.expand(rollout, window)
	if err != nil {
		return 0, err
	}
	result.Query = asked.String()
	value, err := teller.Tell(ctx, asked)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", a.host(), err)
	}
	return value, nil
}

// host is the server that is asked.
func (a Address) host() string {
	parsed, err := url.Parse(a.URL)
	if err != nil {
		return "its address"
	}
	return parsed.Host
}

// expand replaces the variables: those of a query, and $start and $end of the window in seconds since 1970. Each is
// quoted for where it stands.
func (a Address) expand(rollout Rollout, window Window) (Address, error) {
	values := map[string]string{
		"namespace": rollout.Namespace, "app": rollout.App, "release": rollout.Release, "track": rollout.Track,
		"window": promql.Window(window.length()), "start": strconv.FormatInt(window.Start.Unix(), 10),
		"end": strconv.FormatInt(window.End.Unix(), 10),
	}
	var unknown []string
	replace := func(text string, quoted func(string) string) string {
		return os.Expand(text, func(name string) string {
			value, ok := values[name]
			if !ok {
				unknown = append(unknown, name)
			}
			return quoted(value)
		})
	}
	a.URL = replace(a.URL, url.QueryEscape)
	a.Body = replace(a.Body, func(value string) string {
		encoded, err := json.Marshal(value)
		if err != nil {
			return ""
		}
		return string(encoded[1 : len(encoded)-1])
	})
	if len(unknown) > 0 {
		return a, fmt.Errorf("$%s is unknown; allowed are $app, $namespace, $release, $track, $window, $start and $end",
			strings.Join(unknown, ", $"))
	}
	return a, nil
}
