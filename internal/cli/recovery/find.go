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

// Facts is what is known of a stack's canaries.
type Facts struct {
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
		return Canary{}, fmt.Errorf("there is no release %q: there is no Deployment %s, and the ledger's last release is "+
			"another one; %s",
			facts.Wanted, canary.Deployment, facts.others())
	}
	if canary.Image == "" && !canary.Out {
		return Canary{}, fmt.Errorf("deployment %s names its image %q by no digest, so that it cannot be latched: %s",
			canary.Deployment, canary.Reference, facts.others())
	}
	return canary, nil
}

// onTrial is the release that the ledger tells of, else the configured one.
func (f Facts) onTrial() string {
	if f.State == nil {
		return f.Configured
	}
	switch {
	case f.State.Begun != nil && f.State.Begun.To > 0:
		return f.State.Begun.Release
	case f.State.Weight > 0:
		return f.State.Release
	case f.State.Unfinished != nil:
		return f.State.Unfinished.Release
	default:
		return f.Configured
	}
}

// fromDeployment adds the image and the pods of the canary's Deployment.
func (c *Canary) fromDeployment(deployment appsv1.Deployment) {
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

// others names the releases that there are.
func (f Facts) others() string {
	var releases []string
	for _, deployment := range f.Deployments {
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
