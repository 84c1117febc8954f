package overlay

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"
)

// standard refuses what the namespace would not admit: it takes pods of the level restricted alone, and a Deployment
// whose pods are not admitted waits for them until its time is up.
func (c *comparison) standard() {
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks())
	if err != nil {
		c.refuse("", fmt.Sprintf("the library of the Pod Security Standards does not start: %v", err), "spec")
		return
	}
	already := broken(evaluator, c.before)
	for _, reason := range broken(evaluator, c.after) {
		if !slices.Contains(already, reason) {
			c.refuse("", "the namespace admits only pods of the level restricted: "+reason, "spec")
		}
	}
}

// Breaks lists what a template breaks of the level restricted, the only one that a rollout's namespace admits.
func Breaks(template Template) []string {
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks())
	if err != nil {
		return []string{fmt.Sprintf("the library of the Pod Security Standards does not start: %v", err)}
	}
	return broken(evaluator, template)
}

// broken lists what a template breaks of the level restricted.
func broken(evaluator psapolicy.Evaluator, template Template) []string {
	var pod corev1.PodTemplateSpec
	encoded, err := json.Marshal(template)
	if err == nil {
		err = json.Unmarshal(encoded, &pod)
	}
	if err != nil {
		return []string{err.Error()}
	}
	var reasons []string
	level := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			reasons = append(reasons, fmt.Sprintf("%s (%s)", result.ForbiddenReason, result.ForbiddenDetail))
		}
	}
	return reasons
}
