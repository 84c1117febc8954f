package settings

import (
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// Defaults are the settings of a stack that configures nothing: the finance service in production. Pulumi.yaml
// documents the same values; a test keeps the two equal.
func Defaults() *Settings {
	return &Settings{
		Strategy:      StrategyCanary,
		Week:          1,
		Traffic:       TrafficReplicas,
		Gateway:       Gateway{Timeout: model.Duration(time.Minute)},
		Replicas:      10,
		WarmStable:    2,
		Stages:        plan.DefaultStages(),
		Soak:          Soak{Duration: model.Duration(48 * time.Hour), Extension: model.Duration(24 * time.Hour)},
		Staging:       Staging{Stack: "staging", Required: true},
		Calendar:      Calendar{TimeZone: "UTC"},
		Advance:       Advance{Mode: AdvanceManual},
		StableLabel:   "stable",
		Build:         Build{Dockerfile: "Dockerfile", Target: "production", Platform: "linux/amd64"},
		App:           "finance-service",
		Service:       Service{Port: 80, Type: "ClusterIP"},
		Container:     3014,
		Network:       defaultNetwork(),
		SpreadAcross:  []string{"kubernetes.io/hostname"},
		User:          DefaultUser(),
		TmpSize:       DefaultTmpSize,
		RollingUpdate: DefaultRollingUpdate(),
		Resources:     Resources{Requests: Quantities{"500m", "1Gi"}, Limits: Quantities{"1", "2Gi"}},
		Probes:        defaultProbes(),
		Shutdown:      Shutdown{Grace: 30, PreStop: 5},
		Env:           defaultEnv(),
		SecretEnv:     defaultSecretEnv(),
		ConfigEnv:     map[string]string{"LOG_LEVEL": "info", "ENABLE_SWAGGER": "false", "ENABLE_INTROSPECTION": "false"},
		ProgressLimit: model.Duration(10 * time.Minute),
		Metrics: Metrics{
			Path: "/metrics", Scheme: schemeHTTP, Interval: model.Duration(15 * time.Second),
			RequestsTotal: "http_requests_total", StatusLabel: "code", ErrorPattern: "5..",
			DurationBucket: "http_request_duration_seconds_bucket", DurationUnit: "s",
			Exclude: Exclusions{Patterns: Values{"path": DefaultExcludedPaths}},
		},
		Monitoring: Monitoring{
			Enabled:         true,
			Labels:          map[string]string{"release": "kube-prometheus-stack"},
			DashboardLabels: map[string]string{"grafana_dashboard": "1"},
			DashboardPrefix: "finance",
			MinRequests:     50,
		},
		Criteria: Criteria{
			ErrorRate: 0.005, RollbackErrorRate: 0.01,
			Latency: Latency(500 * time.Millisecond), SlowShare: 0.05, Confidence: 0.95,
			Relative: RelativeReview, RelativeRatio: 1.5, RelativeSlower: 1.1, RelativeCPU: 1.2,
			RelativeMemory: 1.33, Slices: 200,
		},
		Floors: defaultFloors(),
		Smoke: Smoke{
			Suite: "finance-service", Timeout: model.Duration(time.Minute),
			OriginFrom: SecretRef{"finance-secrets", "cors-origin"},
			TokenFrom:  SecretRef{"finance-secrets", "jwt-secret"},
		},
		Bake: Bake{
			Duration: model.Duration(5 * time.Minute), Interval: model.Duration(15 * time.Second),
			MinRequests: 100, Confidence: 0.9999,
		},
		Guard:     defaultGuard(),
		Preflight: Preflight{BackupAge: model.Duration(24 * time.Hour), RehearsalAge: model.Duration(30 * 24 * time.Hour)},
	}
}

// defaultProbes let a pod take requests as soon as it answers: the startup probe asks every two seconds for up to five
// minutes, and the others begin when it succeeds. A fixed delay would also hold up the pods that a rollback waits for.
func defaultProbes() Probes {
	return Probes{
		Liveness:  Probe{Path: "/health/live", Period: 15, Timeout: 5, FailureThreshold: 3},
		Readiness: Probe{Path: "/health/ready", Period: 5, Timeout: 3, FailureThreshold: 3},
		Startup:   Probe{Path: "/health/live", Period: 2, Timeout: 5, FailureThreshold: 150},
	}
}

func defaultEnv() map[string]string {
	return map[string]string{
		"NODE_ENV":                    "production",
		"PORT":                        "3014",
		"DATABASE_PORT":               "5432",
		"DATABASE_NAME":               "vextrus_finance",
		"KAFKA_BROKERS":               "kafka:9092",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://signoz:4318",
	}
}

func defaultSecretEnv() map[string]SecretRef {
	return map[string]SecretRef{
		"DATABASE_HOST":                {"finance-db", "host"},
		"DATABASE_USERNAME":            {"finance-db", "username"},
		"DATABASE_PASSWORD":            {"finance-db", "password"},
		"JWT_SECRET":                   {"finance-secrets", "jwt-secret"},
		"EVENTSTORE_CONNECTION_STRING": {"finance-secrets", "eventstore-connection"},
		"CORS_ORIGIN":                  {"finance-secrets", "cors-origin"},
	}
}

// DefaultExcludedPaths are the usual paths of probes and scrapes, as a regular expression. Some metrics name a path
// without the / in front.
const DefaultExcludedPaths = "/?(health|healthz|livez|readyz|ready|live|metrics)(/.*)?"
