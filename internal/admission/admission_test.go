package admission

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func rollout() Rollout {
	return Rollout{Namespace: "vextrus-production", App: "finance-service", Service: "finance",
		Users: []string{"system:serviceaccount:deploy:deployer"}, Groups: []string{"on-call \"team\""}}
}

// Each policy counts in the namespace alone, fails closed, and is in force.
func TestThePoliciesAreInForceInTheNamespaceAlone(t *testing.T) {
	objects, err := rollout().Objects()
	if err != nil {
		t.Fatal(err)
	}
	bound := map[string]bool{}
	for _, object := range objects {
		if binding, ok := object.(*admissionv1.ValidatingAdmissionPolicyBinding); ok {
			bound[binding.Spec.PolicyName] = binding.Spec.ValidationActions[0] == admissionv1.Deny
		}
	}
	for _, object := range objects {
		policy, ok := object.(*admissionv1.ValidatingAdmissionPolicy)
		if !ok {
			continue
		}
		selector := policy.Spec.MatchConstraints.NamespaceSelector.MatchLabels
		if !bound[policy.Name] || *policy.Spec.FailurePolicy != admissionv1.Fail || len(selector) != 1 ||
			selector["kubernetes.io/metadata.name"] != "vextrus-production" || len(policy.Spec.Validations) != 1 ||
			!strings.HasPrefix(policy.Name, "vextrus-production.finance-service.") {
			t.Errorf("policy %s: %+v", policy.Name, policy.Spec)
		}
	}
	if len(bound) != 6 || len(objects) != 12 {
		t.Errorf("%d objects, bound are %v", len(objects), bound)
	}
}

func TestTheManifestIsWhatKubectlReads(t *testing.T) {
	text, err := rollout().YAML()
	if err != nil {
		t.Fatal(err)
	}
	documents := strings.Split(strings.TrimPrefix(text, "---\n"), "\n---\n")
	for _, document := range documents {
		var policy admissionv1.ValidatingAdmissionPolicy
		if err := yaml.UnmarshalStrict([]byte(document), &policy); err != nil && strings.Contains(document,
			"kind: ValidatingAdmissionPolicy\n") {
			t.Errorf("%v\n%s", err, document)
		}
	}
	for _, word := range []string{"status:", "creationTimestamp"} {
		if strings.Contains(text, word) {
			t.Errorf("the manifest holds %s", word)
		}
	}
	if list, err := rollout().List(); err != nil || len(list["items"].([]map[string]any)) != len(documents) {
		t.Errorf("%d documents, the list is %v, %v", len(documents), list, err)
	}
}

// A name is a text of CEL and cannot end it.
func TestTheNameOfAGroupIsQuoted(t *testing.T) {
	if got := rollout().mayRollOut(); !strings.Contains(got, `g in ["on-call \"team\""]`) {
		t.Errorf("%s", got)
	}
}

func TestPoliciesThatWouldLockEverybodyOut(t *testing.T) {
	for name, change := range map[string]func(*Rollout){
		"nobody may roll out":      func(r *Rollout) { r.Users, r.Groups = nil, nil },
		"is no name of an account": func(r *Rollout) { r.Users = []string{" x"} },
		"are required":             func(r *Rollout) { r.Namespace = "" },
	} {
		protected := rollout()
		change(&protected)
		_, err := protected.Objects()
		testkit.WantError(t, err, name)
	}
}
