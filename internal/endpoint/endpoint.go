// Package endpoint is the one way from the text of a setting, an address or namespace/service:port, to an HTTP client
// for it. It imports nothing of the module.
package endpoint

import (
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

// Parse reads an http(s) address or namespace/service:port. Anything else is an error.
func Parse(text string) (Endpoint, error) {
	if parts := servicePattern.FindStringSubmatch(text); parts != nil {
		port, err := strconv.Atoi(parts[3])
		if err != nil || port < 1 || port > 65535 {
			return Endpoint{}, fmt.Errorf("port %s is out of range: allowed are 1 to 65535", parts[3])
		}
		return Endpoint{Namespace: parts[1], Service: parts[2], Port: port}, nil
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return Endpoint{}, fmt.Errorf("allowed is an http(s) address, or namespace/service:port of a Service in the cluster")
	}
	return Endpoint{URL: strings.TrimSuffix(text, "/")}, nil
}
