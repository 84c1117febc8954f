package rollback

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
)

// Spec names the parts of one rollout that a rollback touches, in plain values. The hooks, the command and the guard
// each fill one in and build their Options from it, so that all three roll back in the same way.
type Spec struct {
	Namespace, App, Release string
	// Service sends requests to the canary's pods: the Service of both tracks, or the canary's own behind a Route.
	Service string
	// Route splits the requests by weight; nil where the number of pods alone decides.
	Route *Route
	// StableDeployment is the Deployment that takes all requests afterwards.
	StableDeployment string
	// Capacity is the number of stable pods that the plan says can take all requests.
	Capacity int
}

// Route names a route of the Gateway API and the weights of its backends that leave the canary without requests.
type Route struct {
	Name    string         `json:"name"`
	Weights map[string]int `json:"weights"`
}

// Traffic diverts requests in the cluster.
type Traffic interface {
	Opener
	Router
}

// Options give the rollback of the spec's release for a reason. The numbers are kept with the evidence.
func (s Spec) Options(cluster Traffic, now func() time.Time, reason string, numbers map[string]string) Options {
	options := Options{
		Namespace: s.Namespace, App: s.App, Service: s.Service, Canary: names.CanaryLabels(s.App),
		Deployment: names.CanaryDeployment(s.App, s.Release), StableDeployment: s.StableDeployment,
		Capacity: s.Capacity, LabelKey: names.Traffic, LabelValue: names.Isolated,
		Reason: reason, Numbers: numbers, Now: now,
	}
	if s.Route != nil {
		// The weights take the requests away; the pods that are left without any may go.
		options.AtOnce = true
		options.Divert = ByWeights(cluster, s.Namespace, s.Route.Name, s.Route.Weights)
	} else {
		options.Divert = ByOpening(cluster, names.Track, options)
	}
	return options
}
