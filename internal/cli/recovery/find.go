package recovery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Canary is the release to roll back.
type Canary struct {
	// Release and Deployment are names, Image is the digest that the pods run.
	Release    string `json:"release"`
	Deployment string `json:"deployment"`
	Image      string `json:"image"`
	// Reference is the image in the Deployment's template, empty without a Deployment.
	Reference string `json:"-"`
	// Identity is the short form of what the Deployment makes its pods of; empty where it does not say.
	Identity string `json:"-"`
	// Weight is its share of the requests in the ledger, in percent; Desired is the number of pods in the Deployment.
	Weight  int `json:"weight"`
	Desired int `json:"desired"`
	// Out is true when there is nothing to roll back: no requests, no pods, no shift and no rollback in progress.
	Out bool `json:"out,omitempty"`
}

// Facts are the inputs of Find.
type Facts struct {
	App string
	// Wanted is the release that the operator names, empty for none; Configured is the release in the configuration.
	Wanted, Configured string
	// State is the state of the ledger, nil when it cannot be read.
	State *ledger.State
	// Deployments are the Deployments of the canary track.
	Deployments []appsv1.Deployment
}

// Find returns the canary to roll back: the wanted release, else the one on trial in the ledger, else the configured
// one. It fails if the wanted release does not exist, or if the canary's image has no digest to latch.
func Find(facts Facts) (Canary, error) {
	release := facts.Wanted
	if release == "" {
		release = facts.onTrial()
	}
	canary := Canary{Release: release, Deployment: names.CanaryDeployment(facts.App, release), Out: true}
	exists := false
	for _, deployment := range facts.Deployments {
		if deployment.Name == canary.Deployment {
			exists = true
			canary.fromDeployment(deployment)
		}
	}
	ofLedger := facts.fromLedger(&canary)
	if !exists && !ofLedger && facts.Wanted != "" {
		return Canary{}, fmt.Errorf("there is no release %q: neither the Deployment %s exists nor does the ledger's state "+
			"name the release; %s",
			facts.Wanted, canary.Deployment, facts.existing())
	}
	if canary.Image == "" && !canary.Out {
		return Canary{}, fmt.Errorf("deployment %s names its image %q without a digest, which a latch needs; %s",
			canary.Deployment, canary.Reference, facts.existing())
	}
	return canary, nil
}

// onTrial returns the release on trial in the ledger, else the configured one.
func (f Facts) onTrial() string {
	if f.State == nil {
		return f.Configured
	}
	return cmp.Or(f.State.Living(), f.Configured)
}

// fromDeployment adds the image and the pods of the canary's Deployment.
func (c *Canary) fromDeployment(deployment appsv1.Deployment) {
	c.Desired = 1
	if deployment.Spec.Replicas != nil {
		c.Desired = int(*deployment.Spec.Replicas)
	}
	template := &deployment.Spec.Template
	if image := podstate.ImageOf(&template.Spec, template.Labels[names.App]); image != "" {
		c.Reference, c.Image = image, names.Digest(image)
	}
	c.Identity = template.Annotations[names.Identity]
	if c.Desired > 0 || deployment.Status.Replicas > 0 {
		c.Out = false
	}
}

// fromLedger adds the ledger's entries on the release and reports whether there are any. The image that the pods run
// takes precedence: that is the one to keep out.
func (f Facts) fromLedger(canary *Canary) bool {
	if f.State == nil {
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
	add(ledger.Entry{Release: f.State.Release, Image: f.State.Image}, f.State.Weight, f.State.Weight > 0)
	if f.State.Begun != nil {
		add(*f.State.Begun, 0, f.State.Begun.To > 0)
	}
	if f.State.Unfinished != nil {
		add(*f.State.Unfinished, 0, true)
	}
	return known
}

// existing lists the releases that have a Deployment.
func (f Facts) existing() string {
	var releases []string
	for _, deployment := range f.Deployments {
		if release := deployment.Labels[names.Version]; release != "" {
			releases = append(releases, release)
		}
	}
	slices.Sort(releases)
	if len(releases) == 0 {
		return "no release has a Deployment"
	}
	return "the releases are " + strings.Join(slices.Compact(releases), ", ")
}
