package podstate

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
)

// Scaler is who determines the number of a Deployment's pods, by the field manager of spec.replicas.
type Scaler struct {
	// Manager is the field manager; empty when nobody owns the field.
	Manager string
	// Since is when it wrote its fields last; zero when that is unknown.
	Since time.Time
}

// ScalerOf is the scaler of a Deployment. Of several managers the one that wrote last counts: the value is its own.
func ScalerOf(deployment *appsv1.Deployment) Scaler {
	var last Scaler
	for _, entry := range deployment.ManagedFields {
		if entry.FieldsV1 == nil || !ownsReplicas(entry.FieldsV1.Raw) {
			continue
		}
		scaler := Scaler{Manager: entry.Manager}
		if entry.Time != nil {
			scaler.Since = entry.Time.Time
		}
		if last.Manager == "" || !scaler.Since.Before(last.Since) {
			last = scaler
		}
	}
	return last
}

// ownsReplicas reports whether a set of fields, in the notation of the API server, has spec.replicas.
func ownsReplicas(raw []byte) bool {
	var fields struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return false
	}
	_, owns := fields.Spec["f:replicas"]
	return owns
}

// Field managers that the module knows: that of the Pulumi provider, whose names begin so, the module's own, and that
// of the autoscalers.
const (
	managerPulumi     = "pulumi-kubernetes"
	managerRollout    = "finance-rollout"
	managerController = "kube-controller-manager"
)

// IsAdmission reports whether the number was changed after the provider had asked for another one: a webhook that
// changes a request leaves the field to the author of the request.
func (s Scaler) IsAdmission() bool { return strings.HasPrefix(s.Manager, managerPulumi) }

// IsAutoscaler reports whether an autoscaler determines the number.
func (s Scaler) IsAutoscaler() bool { return s.Manager == managerController }

// String names the scaler for people.
func (s Scaler) String() string {
	switch {
	case s.Manager == "":
		return "somebody else has scaled it (spec.replicas has no field manager)"
	case s.IsAdmission():
		return fmt.Sprintf("a mutating webhook changes spec.replicas on its way into the cluster (its field manager is %s, "+
			"which asked for another number)", s.Manager)
	case s.IsAutoscaler():
		return fmt.Sprintf("an autoscaler scales it (the field manager of spec.replicas is %s)", s.Manager)
	case s.Manager == managerRollout:
		return "a rollback or a command of the rollout has scaled it" + s.since()
	default:
		return fmt.Sprintf("somebody else has scaled it: the field manager of spec.replicas is %s%s", s.Manager, s.since())
	}
}

func (s Scaler) since() string {
	if s.Since.IsZero() {
		return ""
	}
	return ", since " + s.Since.UTC().Format(time.RFC3339)
}
