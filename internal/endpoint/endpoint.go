// Package endpoint is the one way from the text of a setting, an address or namespace/service:port, to an HTTP client
// for it. It imports nothing of the module.
package endpoint

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Endpoint is the location of a server: a URL, or a Service of the cluster.
type Endpoint struct {
	// URL is set for an http(s) address.
	URL string
	// Namespace, Service and Port are set for a Service.
	Namespace, Service string
	Port               int
}

var servicePattern = regexp.MustCompile(`^([a-z0-9-]+)/([a-z0-9-]+):(\d+)$`)

// ErrCredentials is the error of an address that holds a user or a password. An address is printed, logged and kept in
// the state.
var ErrCredentials = errors.New("an address must not hold a user and a password")

// Parse reads an http(s) address or namespace/service:port. Anything else is an error, and an address with credentials
// is [ErrCredentials].
func Parse(text string) (Endpoint, error) {
	if parts := servicePattern.FindStringSubmatch(text); parts != nil {
		port, err := strconv.Atoi(parts[3])
		if err != nil || port < 1 || port > 65535 {
			return Endpoint{}, fmt.Errorf("port %s is out of range: allowed are 1 to 65535", parts[3])
		}
		return Endpoint{Namespace: parts[1], Service: parts[2], Port: port}, nil
	}
	parsed, err := url.Parse(text)
	if err == nil && parsed.User != nil {
		return Endpoint{}, ErrCredentials
	}
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return Endpoint{}, fmt.Errorf("allowed is an http(s) address, or namespace/service:port of a Service in the cluster")
	}
	return Endpoint{URL: strings.TrimSuffix(text, "/")}, nil
}

// Shown is the text of an endpoint, valid or not, without the credentials that it may hold.
func Shown(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	scheme, _, ok := strings.Cut(text[:at], "://")
	if !ok {
		return text[at+1:]
	}
	return scheme + "://" + text[at+1:]
}
