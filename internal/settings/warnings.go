package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Warnings are what is allowed and probably not meant, each with the command that resolves it. They show no value that
// may be a secret.
func (s *Settings) Warnings() []string {
	say := commands{s.stack}
	var warnings []string
	if closed := s.closedPorts(); len(closed) > 0 {
		warnings = append(warnings, s.closedWarning(say, closed))
	}
	if s.leadsTestersNowhere() {
		warnings = append(warnings, fmt.Sprintf("gateway.testers lead nobody to the canary at 0 %%: it has no pods there, "+
			"because no gate, guard or latch watches a canary without requests; the least share is 1 %% of the requests, with "+
			"the testers: %s", say.set("canaryWeight", "1")))
	}
	if s.IsSingle() || s.IsGuarded() {
		return warnings
	}
	missing := "guard.image is empty"
	fix := say.setPath("guard.image", "IMAGE")
	if !s.Guard.Enabled {
		missing, fix = "guard.enabled is false", say.setPath("guard.enabled", "true")
	}
	warnings = append(warnings, fmt.Sprintf("no guard watches the canary (%s): a bad one stays in traffic until an "+
		"update or a person takes it out; to resolve: %s", missing, fix))
	for _, link := range []struct{ key, value, use, example string }{
		{"dashboardURL", s.DashboardURL, "alerts and outputs link no dashboard", "https://grafana.example.com"},
		{"runbookURL", s.RunbookURL, "alerts link no runbook", "https://runbooks.example.com/" + s.App},
	} {
		if link.value == "" {
			warnings = append(warnings, fmt.Sprintf("%s is empty: %s; to resolve: %s", link.key, link.use,
				say.set(link.key, link.example)))
		}
	}
	return warnings
}

// leadsTestersNowhere reports whether the stack has testers, an image of its own for them, and no share for it. After a
// finish both images are the same, and there is nothing to test.
func (s *Settings) leadsTestersNowhere() bool {
	return s.IsGateway() && s.Gateway.Testers != nil && s.CanaryWeight.Set && !s.HasCanary() && s.Image != "" &&
		s.Image != s.StableImage
}

func (s *Settings) closedWarning(say commands, closed map[Port][]string) string {
	var parts []string
	open := slices.Clone(s.Network.EgressPorts)
	for _, port := range slices.Sorted(maps.Keys(closed)) {
		parts = append(parts, fmt.Sprintf("%d (%s)", port, strings.Join(closed[port], ", ")))
		open = append(open, port)
	}
	opened := s.Network
	opened.IngressNamespaces, opened.EgressPorts = append([]string{}, opened.IngressNamespaces...), open
	if slices.Equal(opened.APIServerPorts, defaultNetwork().APIServerPorts) {
		opened.APIServerPorts = nil
	}
	// An object of numbers and names has no value that cannot be encoded.
	encoded, _ := json.Marshal(opened)
	return fmt.Sprintf("network.egressPorts lacks ports that the environment leads to: %s; the pods' NetworkPolicy "+
		"blocks them; to resolve: %s", strings.Join(parts, ", "), say.set("network", "'"+string(encoded)+"'"))
}

// closedPorts are the ports that the environment leads to and the pods may not reach, with the variables that name
// them.
func (s *Settings) closedPorts() map[Port][]string {
	closed := map[Port][]string{}
	look := func(key string, values map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			for _, port := range LeadsTo(name, values[name]) {
				isOpen := slices.Contains(s.Network.EgressPorts, port)
				if by := key + "." + name; !isOpen && !slices.Contains(closed[port], by) {
					closed[port] = append(closed[port], by)
				}
			}
		}
	}
	look("env", s.Env)
	look("configEnv", s.ConfigEnv)
	look("canary.env", s.Canary.Env)
	look("stable.env", s.Stable.Env)
	secret := map[string]string{}
	for name, ref := range s.SecretEnv {
		if value, ok := s.Secret(ref); ok {
			secret[name] = value.Reveal()
		}
	}
	look("secretEnv", secret)
	return closed
}

// portOf are the usual ports of the schemes of addresses.
var portOf = map[string]Port{
	"http": 80, "https": 443, "ws": 80, "wss": 443, "postgres": 5432, "postgresql": 5432, "mysql": 3306, "redis": 6379,
	"rediss": 6379, "amqp": 5672, "amqps": 5671, "mongodb": 27017, "esdb": 2113, "nats": 4222, "kafka": 9092,
}

var (
	// hostPort is one address without a scheme, such as temporal:7233.
	hostPort = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*:([0-9]{2,5})$`)
	// inbound are the names of addresses that others call, or that a browser does.
	inbound = regexp.MustCompile(`ORIGIN|REDIRECT|CALLBACK|PUBLIC|FRONTEND|ISSUER|AUDIENCE`)
	// dialled are the names of ports of other services: DATABASE_PORT, REDIS_PORT.
	dialled = regexp.MustCompile(`^(DATABASE|DB|POSTGRES(QL)?|PG|MYSQL|REDIS|KAFKA|RABBITMQ|AMQP|MONGO(DB)?|TEMPORAL|` +
		`EVENTSTORE|NATS|ELASTIC(SEARCH)?|SMTP|MAIL)_PORT$`)
	// alone are hosts in the pod itself.
	alone = regexp.MustCompile(`^(localhost|127\..*|::1|0\.0\.0\.0)$`)
)

// LeadsTo are the ports that a variable of the environment names: of an address with a scheme, of host:port, and of
// lists of them.
func LeadsTo(name, value string) []Port {
	upper := strings.ToUpper(name)
	if inbound.MatchString(upper) {
		return nil
	}
	if number, err := strconv.Atoi(value); err == nil && dialled.MatchString(upper) && number > 0 && number <= 65535 {
		return []Port{Port(number)}
	}
	var ports []Port
	for _, item := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		if port := portAt(item); port > 0 {
			ports = append(ports, port)
		}
	}
	return ports
}

// portAt is the port of one address, 0 where it names none outside the pod.
func portAt(address string) Port {
	if match := hostPort.FindStringSubmatch(address); match != nil {
		host, _, _ := strings.Cut(address, ":")
		number, err := strconv.Atoi(match[1])
		if err != nil || number > 65535 || alone.MatchString(host) {
			return 0
		}
		return Port(number)
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || alone.MatchString(parsed.Hostname()) {
		return 0
	}
	// A scheme may carry a driver, such as postgresql+asyncpg or esdb+discover.
	scheme, _, _ := strings.Cut(strings.ToLower(parsed.Scheme), "+")
	usual, known := portOf[scheme]
	if parsed.Port() == "" {
		return usual
	}
	number, err := strconv.Atoi(parsed.Port())
	if err != nil || !known && scheme == "" {
		return 0
	}
	return Port(number)
}
