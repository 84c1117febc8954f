package program

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// guardNetwork is whom the guard talks to, as far as the settings tell.
func guardNetwork(s *settings.Settings) components.GuardNetwork {
	network := components.GuardNetwork{
		From: s.Network.MonitoringNamespaces, Pods: s.App, PodPorts: []int{int(s.Container)},
	}
	for _, port := range s.Network.APIServerPorts {
		network.APIServerPorts = append(network.APIServerPorts, int(port))
	}
	if s.Metrics.Port != 0 && s.Metrics.Port != s.Container {
		network.PodPorts = append(network.PodPorts, int(s.Metrics.Port))
	}
	servers := []string{s.Prometheus, s.Guard.Alertmanager}
	for _, server := range servers {
		if namespace, _ := leadsTo(server); namespace != "" && len(s.Network.MonitoringNamespaces) == 0 &&
			!slices.Contains(network.From, namespace) {
			network.From = append(network.From, namespace)
		}
	}
	for _, login := range []settings.HTTPConfig{s.PrometheusAuth, s.AlertmanagerAuth} {
		servers = append(servers, login.ProxyURL, login.OAuth2.TokenURL, login.OAuth2.ProxyURL)
	}
	for _, webhook := range s.Notify.Webhooks {
		servers = append(servers, webhook.URL)
	}
	for _, server := range servers {
		namespace, port := leadsTo(server)
		if namespace != "" && !slices.Contains(network.Namespaces, namespace) {
			network.Namespaces = append(network.Namespaces, namespace)
		}
		if port != 0 && !slices.Contains(network.APIServerPorts, port) && !slices.Contains(network.Ports, port) {
			network.Ports = append(network.Ports, port)
		}
	}
	return network
}

// leadsTo is where a connection to a server leads: to the namespace of a Service, or to a port at some address. Both
// are empty where the text tells neither.
func leadsTo(server string) (namespace string, port int) {
	parsed, err := endpoint.Parse(server)
	if err != nil {
		return "", 0
	}
	if parsed.Namespace != "" {
		return parsed.Namespace, 0
	}
	address, err := url.Parse(parsed.URL)
	if err != nil {
		return "", 0
	}
	host := strings.TrimSuffix(address.Hostname(), ".cluster.local")
	if parts := strings.Split(host, "."); len(parts) > 2 && parts[len(parts)-1] == "svc" {
		return parts[len(parts)-2], 0
	}
	if given, err := strconv.Atoi(address.Port()); err == nil {
		return "", given
	}
	return "", map[string]int{"http": 80, "https": 443}[address.Scheme]
}
