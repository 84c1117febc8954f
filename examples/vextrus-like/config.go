package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// config is the environment of the service.
type config struct {
	port       int
	production bool
	// origins may call from a browser.
	origins []string
	// auth is the address of the auth service.
	auth string
	// database and eventStore are addresses of TCP servers.
	database, eventStore string
}

// required are the variables without which the service does not start.
var required = []string{
	"DATABASE_HOST", "DATABASE_PORT", "DATABASE_USERNAME", "DATABASE_PASSWORD", "DATABASE_NAME", "JWT_SECRET",
	"EVENTSTORE_CONNECTION_STRING", "CORS_ORIGIN", "KAFKA_BROKERS", "OTEL_EXPORTER_OTLP_ENDPOINT", "AUTH_SERVICE_URL",
	"MASTER_DATA_SERVICE_URL", "REDIS_HOST", "REDIS_PORT", "TEMPORAL_ADDRESS", "ENCRYPTION_KEY",
}

// brokersInProduction is how many brokers of Kafka production has.
const brokersInProduction = 3

// configFrom reads the environment. The error names every variable that is missing or wrong, and no value.
func configFrom(getenv func(string) string) (config, error) {
	var problems []error
	for _, name := range required {
		if strings.TrimSpace(getenv(name)) == "" {
			problems = append(problems, fmt.Errorf("%s is required", name))
		}
	}
	c := config{
		production: getenv("NODE_ENV") == "production", auth: getenv("AUTH_SERVICE_URL"),
		database: net.JoinHostPort(getenv("DATABASE_HOST"), getenv("DATABASE_PORT")),
	}
	var err error
	if c.port, err = strconv.Atoi(getenv("PORT")); err != nil || c.port < 0 || c.port > 65535 {
		problems = append(problems, errors.New("PORT must be a port"))
	}
	if brokers := strings.Split(getenv("KAFKA_BROKERS"), ","); c.production && len(brokers) != brokersInProduction {
		problems = append(problems, fmt.Errorf("KAFKA_BROKERS must name %d brokers in production, not %d",
			brokersInProduction, len(brokers)))
	}
	for _, origin := range strings.Split(getenv("CORS_ORIGIN"), ",") {
		c.origins = append(c.origins, strings.TrimSpace(origin))
	}
	if c.production && slices.Contains(c.origins, "*") {
		problems = append(problems, errors.New("CORS_ORIGIN must not be * in production"))
	}
	store, err := url.Parse(getenv("EVENTSTORE_CONNECTION_STRING"))
	if err != nil || store.Host == "" {
		problems = append(problems, errors.New("EVENTSTORE_CONNECTION_STRING must be an address such as esdb://HOST:2113"))
	} else {
		c.eventStore = store.Host
	}
	return c, errors.Join(problems...)
}
