// Package settings turns a stack's configuration into typed, validated settings. It is the only reader of
// configuration: every other package gets what it needs from here. Each problem is reported as an Error that names
// the key, the value that was given, what is allowed and the command that resolves it, and all problems of a stack
// are reported at once.
//
// The package imports no Pulumi and talks to no cluster: configuration comes through a Source, so that the rules can be
// tested as functions of data.
package settings

import (
	"maps"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// Strategies of a stack.
const (
	// StrategyCanary runs the stable and the canary track side by side, as production does.
	StrategyCanary = "canary"
	// StrategySingle runs the release on one track, as staging does.
	StrategySingle = "single"
)

// Settings is the configuration of one stack. The config tag of a field is its key.
type Settings struct {
	Environment string `config:"environment"`
	Strategy    string `config:"strategy"`

	Week         int         `config:"week"`
	CanaryWeight Weight      `config:"canaryWeight"`
	Release      string      `config:"release"`
	Traffic      string      `config:"traffic"`
	Gateway      Gateway     `config:"gateway"`
	Replicas     int         `config:"replicas"`
	WarmStable   int         `config:"warmStable"`
	Stages       plan.Stages `config:"stages"`
	Soak         Soak        `config:"soak"`
	Staging      Staging     `config:"staging"`
	Latch        Latch       `config:"latch"`
	Override     Override    `config:"override"`
	Calendar     Calendar    `config:"calendar"`
	Incidents    Incidents   `config:"incidents"`
	Checklist    Checklist   `config:"checklist"`
	Advance      Advance     `config:"advance"`

	Image        string   `config:"image"`
	StableImage  string   `config:"stableImage"`
	Finish       string   `config:"finish"`
	Express      Express  `config:"express"`
	StableLabel  string   `config:"stableVersion"`
	Build        Build    `config:"build"`
	Registry     Registry `config:"registry"`
	App          string   `config:"app"`
	ServiceName  string   `config:"serviceName"`
	Namespace    string   `config:"namespace"`
	Kubeconfig   string   `config:"kubeconfig"`
	KubeContext  string   `config:"kubeContext"`
	Cluster      string   `config:"cluster"`
	Service      Service  `config:"service"`
	Container    Port     `config:"containerPort"`
	Network      Network  `config:"network"`
	SpreadAcross []string `config:"spreadAcross"`

	Pod            Overlay                      `config:"pod"`
	User           User                         `config:"user"`
	Writable       []string                     `config:"writable"`
	TmpSize        Quantity                     `config:"tmpSize"`
	Command        Words                        `config:"command"`
	Args           Words                        `config:"args"`
	PodAnnotations Values                       `config:"podAnnotations"`
	ServiceAccount ServiceAccount               `config:"serviceAccount"`
	RollingUpdate  RollingUpdate                `config:"rollingUpdate"`
	Resources      Resources                    `config:"resources"`
	Probes         Probes                       `config:"probes"`
	Shutdown       Shutdown                     `config:"shutdown"`
	Env            Values                       `config:"env"`
	SecretEnv      map[string]SecretRef         `config:"secretEnv"`
	ConfigEnv      Values                       `config:"configEnv"`
	ExistingEnv    map[string]SecretRef         `config:"existingSecretEnv"`
	EnvFrom        []EnvSource                  `config:"envFrom"`
	Secrets        map[string]map[string]Secret `config:"secrets"`
	Stable         TrackOverride                `config:"stable"`
	Canary         TrackOverride                `config:"canary"`
	ProgressLimit  model.Duration               `config:"progressTimeout"`
	Metrics        Metrics                      `config:"metrics"`
	Monitoring     Monitoring                   `config:"monitoring"`
	Criteria       Criteria                     `config:"criteria"`
	Floors         Floors                       `config:"floors"`
	Ledger         Ledger                       `config:"ledger"`
	Prometheus     string                       `config:"prometheus"`
	// PrometheusAuth and AlertmanagerAuth get the gates and the guard into Prometheus and Alertmanager.
	PrometheusAuth   HTTPConfig `config:"prometheusAuth"`
	AlertmanagerAuth HTTPConfig `config:"alertmanagerAuth"`
	Smoke            Smoke      `config:"smoke"`
	Bake             Bake       `config:"bake"`
	Guard            Guard      `config:"guard"`
	Notify           Notify     `config:"notify"`
	Preflight        Preflight  `config:"preflight"`
	DashboardURL     string     `config:"dashboardURL"`
	RunbookURL       string     `config:"runbookURL"`
	position         plan.Position
	holds            holds
	secretsFromKey   bool
	buildEncrypted   bool
	// stack is the stack's name, for the commands in errors.
	stack string
	// named is the release's name in the configuration; empty where the configuration leaves it to the rollout. kept is
	// true where Release is not the configuration's to choose, because the release lives under it.
	named string
	kept  bool
	// before is the release that was on the canary track last; empty for none.
	before string
}

// Express carries a change of the configuration to both tracks in one update, canary pods first, in place of the weeks
// of a release. Reason says why it cannot wait; empty for no express lane. A reason is good for one change.
type Express struct {
	Reason string `json:"reason"`
}

// Registry holds the credentials of the image registry, for resolving tags and for pushing a built image.
type Registry struct {
	Server   string `json:"server"`
	Username string `json:"username"`
	Password Secret `json:"password"`
}

// Port is a TCP port, 1 to 65535.
type Port int

// Service describes the Service in front of the pods.
type Service struct {
	Port Port `json:"port"`
	// Type is ClusterIP, NodePort or LoadBalancer.
	Type string `json:"type"`
	// NodePort is the fixed port of a NodePort Service, 0 for one that the cluster chooses.
	NodePort Port `json:"nodePort"`
	// SessionAffinity pins a client address to one pod. It distorts the split between the tracks.
	SessionAffinity bool `json:"sessionAffinity"`
}

// Network says who may talk to the pods and whom they may talk to.
type Network struct {
	// IngressNamespaces may reach the container port; empty means every namespace.
	IngressNamespaces []string `json:"ingressNamespaces"`
	// EgressPorts are the TCP ports that the pods may reach, beside DNS.
	EgressPorts []Port `json:"egressPorts"`
	// MonitoringNamespaces may reach the guard's port; empty means those of Prometheus and Alertmanager, and every
	// namespace where the settings name neither by its namespace.
	MonitoringNamespaces []string `json:"monitoringNamespaces,omitempty"`
	// APIServerPorts are the TCP ports of the API server, as the guard's pods meet them; empty lets the guard reach
	// everything.
	APIServerPorts []Port `json:"apiServerPorts,omitempty"`
	// DefaultDeny keeps every pod of the namespace from what no policy allows.
	DefaultDeny bool `json:"defaultDeny,omitempty"`
}

// defaultNetwork opens the ports of what the finance service talks to, and those that API servers listen on.
func defaultNetwork() Network {
	return Network{EgressPorts: []Port{5432, 2113, 9092, 4318}, APIServerPorts: []Port{443, 6443, 8443, 16443}}
}

// Resources are what a container asks for and may use at most, as Kubernetes quantities.
type Resources struct {
	Requests Quantities `json:"requests"`
	Limits   Quantities `json:"limits"`
}

// Quantities is an amount of CPU and memory. An empty CPU limit is none.
type Quantities struct {
	CPU    Quantity `json:"cpu"`
	Memory Quantity `json:"memory"`
}

// Probes are the kubelet's checks of a container. Startup is off while its FailureThreshold is 0.
type Probes struct {
	Liveness  Probe `json:"liveness"`
	Readiness Probe `json:"readiness"`
	Startup   Probe `json:"startup"`
}

// Probe is one HTTP probe; times are whole seconds.
type Probe struct {
	Path             string `json:"path"`
	InitialDelay     int    `json:"initialDelaySeconds"`
	Period           int    `json:"periodSeconds"`
	Timeout          int    `json:"timeoutSeconds"`
	FailureThreshold int    `json:"failureThreshold"`
}

// Shutdown is how a pod leaves: it sleeps for PreStop while the endpoints forget it, and has Grace in all.
type Shutdown struct {
	Grace   int `json:"gracePeriodSeconds"`
	PreStop int `json:"preStopSeconds"`
}

// SecretRef is a reference "secret/key" into the secrets of the stack, without the environment's suffix.
type SecretRef struct{ Secret, Key string }

// TrackOverride holds the settings in which one track differs from the stack. Only set values count.
type TrackOverride struct {
	Resources *Resources `json:"resources,omitempty"`
	Probes    *Probes    `json:"probes,omitempty"`
	Env       Values     `json:"env,omitempty"`
	// Pod is laid on the track's pods after the overlay of both tracks.
	Pod Overlay `json:"pod,omitempty"`
	// Autoscale gives the track an autoscaler, where traffic is gateway.
	Autoscale *Autoscale `json:"autoscale,omitempty"`
}

// Monitoring configures what is made for the Prometheus Operator and for Grafana.
type Monitoring struct {
	Enabled bool `json:"enabled"`
	// Labels are put on the ServiceMonitor and the PrometheusRule; a Prometheus may select by them.
	Labels Values `json:"labels"`
	// DashboardLabels make the Grafana sidecar pick up the dashboard.
	DashboardLabels Values `json:"dashboardLabels"`
	// DashboardPrefix begins the dashboard's uid; the release follows.
	DashboardPrefix string `json:"dashboardPrefix"`
	// MinRequests is how many requests in 5 minutes the rate alerts need before they speak.
	MinRequests int `json:"minRequests"`
}

// Criteria are the success conditions of a release.
type Criteria struct {
	// ErrorRate and RollbackErrorRate are shares, 0 to 1.
	ErrorRate         float64 `json:"errorRate"`
	RollbackErrorRate float64 `json:"rollbackErrorRate"`
	// Latency is the limit that all but SlowShare of the requests must stay under; 0 judges no latency.
	Latency   Latency `json:"latency"`
	SlowShare float64 `json:"slowShare"`
	// Confidence is that of a pass at the end of a soak, more than 0.5 and less than 1.
	Confidence float64 `json:"confidence"`
	// Relative says what happens to a canary that is worse than stable: review, rollback or off.
	Relative string `json:"relative"`
	// RelativeRatio is how many times stable's share of errors the canary's may be, RelativeSlower how many times as slow.
	RelativeRatio  float64 `json:"relativeRatio"`
	RelativeSlower float64 `json:"relativeSlower"`
	// RelativeCPU is how many times stable's CPU a request the canary may need, RelativeMemory how many times its memory a
	// pod; 0 does not compare.
	RelativeCPU    float64 `json:"relativeCpu"`
	RelativeMemory float64 `json:"relativeMemory"`
	// Slices is the number of parts of the requests that are compared, SliceLabels are the labels that make them; without
	// one, all labels of the request counter do.
	Slices      int      `json:"slices"`
	SliceLabels []string `json:"sliceLabels"`
	// Own are the stack's own criteria.
	Own []OwnCriterion `json:"own"`
	// Reason is why limits, soak or bake were changed while a release is on trial. The ledger keeps it.
	Reason string `json:"reason"`
}

// Soak configures the long watch of a stage, before the next one may be entered.
type Soak struct {
	Duration  model.Duration `json:"duration"`
	Extension model.Duration `json:"extension"`
}

// Staging says which stack has verified an image before it may become a canary.
type Staging struct {
	// Stack is the stack's name, alone or as organization/project/stack.
	Stack string `json:"stack"`
	// Required false lets images in that no other stack has verified; the ledger records it.
	Required bool `json:"required"`
}

// Latch releases a latch: a rolled-back image may get requests again.
type Latch struct {
	// Release is the number of the ledger's entry that engaged the latch, 0 for none.
	Release int `json:"release"`
	// Reason is why; it is recorded.
	Reason string `json:"reason"`
}

// Override lets a shift through that the gate refuses, in an emergency.
type Override struct {
	// Weight is the only weight that it counts for; Reason is recorded.
	Weight Weight `json:"weight"`
	Reason string `json:"reason"`
}

// OwnCriterion is a criterion of the stack's own on one value, of Prometheus or of an address.
type OwnCriterion struct {
	Name string `json:"name"`
	// Query is PromQL with one value as its answer. $namespace, $release, $track and $window stand for the rollout's.
	Query string `json:"query"`
	// HTTP is where the value comes from in place of Query; nil for Prometheus.
	HTTP *OwnAddress `json:"http,omitempty"`
	// Limit is compared with the value: Direction below is met by a value below it, above by one above it.
	Limit     float64 `json:"limit"`
	Direction string  `json:"direction"`
}

// Smoke configures the smoke suite.
type Smoke struct {
	// Suite is the name of an embedded suite or the path of a file.
	Suite string `json:"suite"`
	// Timeout bounds the whole suite.
	Timeout model.Duration `json:"timeout"`
	// Origin is an allowed CORS origin; OriginFrom takes it from a secret instead.
	Origin     string    `json:"origin"`
	OriginFrom SecretRef `json:"originFrom"`
	// TokenFrom is the secret that signs the suite's short-lived token.
	TokenFrom SecretRef `json:"tokenFrom"`
}

// Bake configures the short watch inside `pulumi up`. A Duration of 0 turns it off.
type Bake struct {
	Duration    model.Duration `json:"duration"`
	Interval    model.Duration `json:"interval"`
	MinRequests int            `json:"minRequests"`
	Confidence  float64        `json:"confidence"`
}

// Position is the target of the stack: weight and pods of each track.
func (s *Settings) Position() plan.Position { return s.position }

// SecretName is the name in the cluster of one of the stack's secrets.
func (s *Settings) SecretName(name string) string { return name + "-" + s.Environment }

// Secret looks a reference up. The second result is false when the stack does not hold it.
func (s *Settings) Secret(ref SecretRef) (Secret, bool) {
	value, ok := s.Secrets[ref.Secret][ref.Key]
	return value, ok && value != ""
}

// WithSecret is a copy of the settings with another value of a secret.
func (s *Settings) WithSecret(ref SecretRef, value string) *Settings {
	changed := *s
	changed.Secrets = maps.Clone(s.Secrets)
	if changed.Secrets == nil {
		changed.Secrets = map[string]map[string]Secret{}
	}
	entries := maps.Clone(changed.Secrets[ref.Secret])
	if entries == nil {
		entries = map[string]Secret{}
	}
	entries[ref.Key] = Secret(value)
	changed.Secrets[ref.Secret] = entries
	return &changed
}

// Revealed returns the values of all secrets, so that a redactor can keep them out of texts.
func (s *Settings) Revealed() []string {
	var values []string
	for _, entries := range s.Secrets {
		for _, value := range entries {
			values = append(values, value.Reveal())
		}
	}
	return values
}

// StackName is the name of the stack, for commands to paste.
func (s *Settings) StackName() string { return s.stack }

// DashboardUID is the uid of the release's dashboard.
func (s *Settings) DashboardUID() string { return s.Monitoring.DashboardPrefix + "-" + s.Release }

// IsSingle reports whether the stack runs one track only.
func (s *Settings) IsSingle() bool { return s.Strategy == StrategySingle }

// HasCanary reports whether the stack's target position holds canary pods.
func (s *Settings) HasCanary() bool { return s.position.Canary > 0 }
