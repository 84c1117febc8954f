package recovery

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Canary is what is on trial.
type Canary struct {
	// Release is its name, Deployment that of its Deployment, and Image the digest that it runs.
	Release    string `json:"release"`
	Deployment string `json:"deployment"`
	Image      string `json:"image"`
	// Reference is the image as the Deployment names it; empty when there is none.
	Reference string `json:"-"`
	// Weight is its share of the requests by the ledger, in percent; Desired how many pods it shall have.
	Weight  int `json:"weight"`
	Desired int `json:"desired"`
	// Out tells that it has no requests, no pods, and that no shift or rollback of it is under way: there is nothing to
	// roll back.
	Out bool `json:"out,omitempty"`
}

// Known is what is known of a stack's canaries.
type Known struct {
	App string
	// Wanted is the release that the operator names, empty for none; Configured that of the configuration.
	Wanted, Configured string
	// State is where the rollout stands; nil when the ledger cannot be read.
	State *ledger.State
	// Deployments are those of the canary track.
	Deployments []appsv1.Deployment
}

// Find tells which canary is to be taken out: the one that is named, else the one that the ledger tells of, else the
// configured one.
func Find(known Known) (Canary, error) {
	release := known.Wanted
	if release == "" {
		release = known.onTrial()
	}
	canary := Canary{Release: release, Deployment: names.CanaryDeployment(known.App, release), Out: true}
	exists := false
	for _, deployment := range known.Deployments {
		if deployment.Name == canary.Deployment {
			exists = true
			canary.take(deployment)
		}
	}
	ofLedger := known.fill(&canary)
	if !exists && !ofLedger && known.Wanted != "" {
		return Canary{}, fmt.Errorf("there is no release %q: there is no Deployment %s, and the ledger's last release is "+
			"another one; %s",
			known.Wanted, canary.Deployment, known.others())
	}
	if canary.Image == "" && !canary.Out {
		return Canary{}, fmt.Errorf("deployment %s names its image %q by no digest, so that it cannot be latched: %s",
			canary.Deployment, canary.Reference, known.others())
	}
	return canary, nil
}

// onTrial is the release that the ledger tells of, else the configured one.
func (k Known) onTrial() string {
	if k.State == nil {
		return k.Configured
	}
	switch {
	case k.State.Begun != nil && k.State.Begun.To > 0:
		return k.State.Begun.Release
	case k.State.Weight > 0:
		return k.State.Release
	case k.State.Unfinished != nil:
		return k.State.Unfinished.Release
	default:
		return k.Configured
	}
}

func (c *Canary) take(deployment appsv1.Deployment) {
	c.Desired = 1
	if deployment.Spec.Replicas != nil {
		c.Desired = int(*deployment.Spec.Replicas)
	}
	if containers := deployment.Spec.Template.Spec.Containers; len(containers) > 0 {
		c.Reference = containers[0].Image
		c.Image = names.Digest(c.Reference)
	}
	if c.Desired > 0 || deployment.Status.Replicas > 0 {
		c.Out = false
	}
}

// fill adds what the ledger knows of the release, and tells whether it knows anything. The image that the pods run
// counts more: it is what must be kept out.
func (k Known) fill(canary *Canary) bool {
	if k.State == nil {
		return false
	}
	known := false
	add := func(entry ledger.Entry, weight int, under bool) {
		if entry.Release != canary.Release {
			return
		}
		known = true
		canary.Weight = max(canary.Weight, weight)
		canary.Out = canary.Out && !under
		if canary.Image == "" {
			canary.Image = entry.Image
		}
	}
	add(ledger.Entry{Release: k.State.Release, Image: k.State.Image}, k.State.Weight, k.State.Weight > 0)
	if k.State.Begun != nil {
		add(*k.State.Begun, 0, k.State.Begun.To > 0)
	}
	if k.State.Unfinished != nil {
		add(*k.State.Unfinished, 0, true)
	}
	return known
}

// others names the releases that there are.
func (k Known) others() string {
	var releases []string
	for _, deployment := range k.Deployments {
		if release := deployment.Labels[names.Version]; release != "" {
			releases = append(releases, release)
		}
	}
	slices.Sort(releases)
	if len(releases) == 0 {
		return "there is none"
	}
	return "there are " + strings.Join(slices.Compact(releases), ", ")
}
