package service

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Secret is a value that prints as redacted.
type Secret string

// Format keeps the value out of whatever prints it.
func (Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "[redacted]") }

// MarshalText keeps the value out of JSON and structured logs.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Config is the service's configuration; see [ConfigFromEnv] for the variables.
type Config struct {
	// Environment is staging or production.
	Environment string
	// Port is where HTTP is served.
	Port int
	// Database is where invoices are kept.
	Database DatabaseConfig
	// JWTSecret is the HS256 key that tokens are signed with.
	JWTSecret Secret
	// EventStore is the event store's connection string: esdb://host:port or memory://.
	EventStore Secret
	// AllowedOrigins are the origins that browsers may call from.
	AllowedOrigins []string
	// LogLevel is the least level that is logged.
	LogLevel slog.Level
	// Introspection says whether clients may ask for the GraphQL schema.
	Introspection bool
	// Track and Version are what the Deployment says that it is; shown in the log and by /health.
	Track, Version string
	// RateLimit bounds the requests of an address; its zero value does not.
	RateLimit RateLimit
	// Faults are on from the start.
	Faults Faults
	// FaultsPort serves the switch for faults on 127.0.0.1; 0 means that there is none.
	FaultsPort int
}

// DatabaseConfig says how to reach PostgreSQL.
type DatabaseConfig struct {
	Host, Username, Name string
	Password             Secret
	Port                 int
}

// RateLimit allows Max requests per Window and address; Max 0 means that there is no limit.
type RateLimit struct {
	Max    int
	Window time.Duration
}

// environment reads variables and collects everything that is wrong with them.
type environment struct {
	lookup   func(string) (string, bool)
	missing  []string
	problems []error
}

func (e *environment) optional(name, fallback string) string {
	if value, ok := e.lookup(name); ok && value != "" {
		return value
	}
	return fallback
}

func (e *environment) required(name string) string {
	value := e.optional(name, "")
	if value == "" {
		e.missing = append(e.missing, name)
	}
	return value
}

func (e *environment) problem(name, format string, args ...any) {
	e.problems = append(e.problems, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
}

func (e *environment) number(name string, fallback, low, high int) int {
	text := e.optional(name, strconv.Itoa(fallback))
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		e.problem(name, "must be a whole number from %d to %d, got %q", low, high, text)
	}
	return n
}

func (e *environment) boolean(name string, fallback bool) bool {
	switch text := e.optional(name, strconv.FormatBool(fallback)); text {
	case "true":
		return true
	case "false":
		return false
	default:
		e.problem(name, "must be true or false, got %q", text)
		return false
	}
}

func (e *environment) oneOf(name, value string, allowed ...string) string {
	for _, a := range allowed {
		if value == a {
			return value
		}
	}
	if value != "" {
		e.problem(name, "must be one of %s, got %q", strings.Join(allowed, ", "), value)
	}
	return value
}

func (e *environment) err() error {
	if len(e.missing) > 0 {
		e.problems = append([]error{fmt.Errorf("missing: %s", strings.Join(e.missing, ", "))}, e.problems...)
	}
	if len(e.problems) == 0 {
		return nil
	}
	return fmt.Errorf("environment: %w", errors.Join(e.problems...))
}

// ConfigFromEnv reads the configuration from environment variables, which lookup finds as [os.LookupEnv] does.
//
// Required: NODE_ENV (staging, production), DATABASE_HOST, DATABASE_USERNAME, DATABASE_PASSWORD, DATABASE_NAME,
// JWT_SECRET, EVENTSTORE_CONNECTION_STRING (esdb://host:port?tls=…, memory://) and, in production, CORS_ORIGIN (a comma
// list). Optional: PORT (3014), DATABASE_PORT (5432), LOG_LEVEL (debug, info, warn, error), ENABLE_INTROSPECTION
// (true unless in production), RATE_LIMIT_MAX (0, no limit) per RATE_LIMIT_WINDOW (15m), DEPLOYMENT_TRACK,
// DEPLOYMENT_VERSION, FAULTS, FAULTS_ENABLED (false), FAULTS_PORT (9014). Checked, and otherwise without effect here:
// KAFKA_BROKERS, OTEL_EXPORTER_OTLP_ENDPOINT, ENABLE_SWAGGER.
//
// The error names every variable that is missing or wrong, and no secret's value.
func ConfigFromEnv(lookup func(string) (string, bool)) (Config, error) {
	env := &environment{lookup: lookup}
	cfg := Config{
		Environment: env.oneOf("NODE_ENV", env.required("NODE_ENV"), "staging", "production"),
		Port:        env.number("PORT", 3014, 1, 65535),
		Database: DatabaseConfig{
			Host:     env.required("DATABASE_HOST"),
			Username: env.required("DATABASE_USERNAME"),
			Password: Secret(env.required("DATABASE_PASSWORD")),
			Port:     env.number("DATABASE_PORT", 5432, 1, 65535),
			Name:     env.required("DATABASE_NAME"),
		},
		JWTSecret:  Secret(env.required("JWT_SECRET")),
		EventStore: Secret(env.required("EVENTSTORE_CONNECTION_STRING")),
		Track:      env.optional("DEPLOYMENT_TRACK", ""),
		Version:    env.optional("DEPLOYMENT_VERSION", ""),
	}
	cfg.Introspection = env.boolean("ENABLE_INTROSPECTION", cfg.Environment != "production")
	cfg.AllowedOrigins = env.origins(cfg.Environment == "production")
	cfg.LogLevel = env.logLevel()
	cfg.RateLimit = env.rateLimit()
	env.unused()
	env.faults(&cfg)
	if _, err := ParseEventStore(cfg.EventStore); cfg.EventStore != "" && err != nil {
		env.problem("EVENTSTORE_CONNECTION_STRING", "%w", err)
	}
	return cfg, env.err()
}

func (e *environment) origins(required bool) []string {
	read := func(name string) string { return e.optional(name, "") }
	if required {
		read = e.required
	}
	var origins []string
	for origin := range strings.SplitSeq(read("CORS_ORIGIN"), ",") {
		origin = strings.TrimSpace(origin)
		if origin == "" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme+"://"+u.Host != origin || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			e.problem("CORS_ORIGIN", "must list origins such as https://app.example.com, got %q", origin)
		}
		origins = append(origins, origin)
	}
	return origins
}

func (e *environment) logLevel() slog.Level {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	return levels[e.oneOf("LOG_LEVEL", e.optional("LOG_LEVEL", "info"), "debug", "info", "warn", "error")]
}

func (e *environment) rateLimit() RateLimit {
	limit := RateLimit{Max: e.number("RATE_LIMIT_MAX", 0, 0, 1_000_000)}
	text := e.optional("RATE_LIMIT_WINDOW", "15m")
	window, err := time.ParseDuration(text)
	if err != nil || window <= 0 {
		e.problem("RATE_LIMIT_WINDOW", "must be a duration such as 15m, got %q", text)
	}
	limit.Window = window
	return limit
}

// unused checks what the real service uses and this one does not.
func (e *environment) unused() {
	e.boolean("ENABLE_SWAGGER", false)
	if brokers := e.optional("KAFKA_BROKERS", ""); brokers != "" {
		for broker := range strings.SplitSeq(brokers, ",") {
			if _, port, err := net.SplitHostPort(strings.TrimSpace(broker)); err != nil || port == "" {
				e.problem("KAFKA_BROKERS", "must list host:port, got %q", broker)
			}
		}
	}
	if endpoint := e.optional("OTEL_EXPORTER_OTLP_ENDPOINT", ""); endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			e.problem("OTEL_EXPORTER_OTLP_ENDPOINT", "must be a URL such as http://signoz:4318")
		}
	}
}

func (e *environment) faults(cfg *Config) {
	faults, err := ParseFaults(e.optional("FAULTS", ""))
	if err != nil {
		e.problem("FAULTS", "%w", err)
	}
	cfg.Faults = faults
	port := e.number("FAULTS_PORT", 9014, 1, 65535)
	if e.boolean("FAULTS_ENABLED", false) {
		cfg.FaultsPort = port
	}
}
