package components

import (
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// The types that arguments are made of, under names that programs outside of this module can use. What each means is in
// docs/configuration.md: the setting of that name is of the same type.
type (
	// Secret is a value that must not be shown.
	Secret = settings.Secret
	// SecretRef is an entry of a Secret in the cluster.
	SecretRef = settings.SecretRef
	// Registry is an image registry with its credentials.
	Registry = settings.Registry
	// Build says what to build.
	Build = settings.Build
	// Position is the weight of a release and the pods of each track.
	Position = plan.Position
	// Resources are what a container asks for and may use at most.
	Resources = settings.Resources
	// Quantities are amounts of CPU and memory.
	Quantities = settings.Quantities
	// Quantity is an amount in Kubernetes' notation.
	Quantity = settings.Quantity
	// Probes are the kubelet's checks of a container.
	Probes = settings.Probes
	// Probe is one of them.
	Probe = settings.Probe
	// Shutdown is how a pod leaves.
	Shutdown = settings.Shutdown
	// User is who the processes run as.
	User = settings.User
	// EnvSource is a Secret or a ConfigMap that gives a variable for each of its keys.
	EnvSource = settings.EnvSource
	// Overlay is a strategic merge patch of the pods.
	Overlay = settings.Overlay
	// Autoscale lets an autoscaler choose a track's pods.
	Autoscale = settings.Autoscale
	// RollingUpdate is how pods are replaced.
	RollingUpdate = settings.RollingUpdate
	// Amount is a number of pods, or a percentage of them.
	Amount = settings.Amount
	// RouteRule is a rule of an HTTPRoute without its weights; its parts are below.
	RouteRule = settings.RouteRule
	// Metrics says where the pods serve their metrics and how they are called.
	Metrics = settings.Metrics
	// Rules are the thresholds and names that alerts and dashboard are made from.
	Rules = alerts.Params
	// Values are texts by name.
	Values = settings.Values
	// Port is a TCP port.
	Port = settings.Port
	// ScrapeTLS is what a scrape by https expects of a pod's certificate.
	ScrapeTLS = settings.ScrapeTLS
	// Unit is the unit of a histogram's bounds.
	Unit = settings.Unit
	// Matcher is a condition of PromQL as the configuration has it.
	Matcher = settings.Matcher
	// Condition is a condition of PromQL as a query has it.
	Condition = promql.Matcher
	// Exclusions are the series that count no request of a customer.
	Exclusions = settings.Exclusions
)

type (
	// Testers lead testers to the canary at any weight.
	Testers = settings.Testers
	// Mark is a part of [Testers].
	Mark = settings.Mark
	// RouteMatch is a part of [RouteRule], as the Gateway API has it.
	RouteMatch = settings.RouteMatch
	// ValueMatch is a part of [RouteRule], as the Gateway API has it.
	ValueMatch = settings.ValueMatch
	// RouteFilter is a part of [RouteRule], as the Gateway API has it.
	RouteFilter = settings.RouteFilter
	// HeaderModifier is a part of [RouteRule], as the Gateway API has it.
	HeaderModifier = settings.HeaderModifier
	// Mirror is a part of [RouteRule], as the Gateway API has it.
	Mirror = settings.Mirror
	// MirrorBackend is a part of [RouteRule], as the Gateway API has it.
	MirrorBackend = settings.MirrorBackend
	// Fraction is a part of [RouteRule], as the Gateway API has it.
	Fraction = settings.Fraction
	// Redirect is a part of [RouteRule], as the Gateway API has it.
	Redirect = settings.Redirect
	// PathModifier is a part of [RouteRule], as the Gateway API has it.
	PathModifier = settings.PathModifier
	// Rewrite is a part of [RouteRule], as the Gateway API has it.
	Rewrite = settings.Rewrite
	// CORS is a part of [RouteRule], as the Gateway API has it.
	CORS = settings.CORS
	// LocalObject is a part of [RouteRule], as the Gateway API has it.
	LocalObject = settings.LocalObject
	// RouteTimeouts is a part of [RouteRule], as the Gateway API has it.
	RouteTimeouts = settings.RouteTimeouts
	// RouteRetry is a part of [RouteRule], as the Gateway API has it.
	RouteRetry = settings.RouteRetry
	// SessionPersistence is a part of [RouteRule], as the Gateway API has it.
	SessionPersistence = settings.SessionPersistence
)

// The tracks.
const (
	Stable = names.Stable
	Canary = names.Canary
)
