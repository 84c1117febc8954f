package components

import (
	"maps"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/podlabel"
)

// Label keys of the pods and of what selects them.
const (
	LabelApp         = podlabel.App
	LabelEnvironment = podlabel.Environment
	LabelTrack       = podlabel.Track
	LabelVersion     = podlabel.Version
	LabelTraffic     = podlabel.Traffic
	// LabelManagedBy marks what the program made.
	LabelManagedBy = "app.kubernetes.io/managed-by"
)

// Values of the labels.
const (
	TrackStable    = podlabel.Stable
	TrackCanary    = podlabel.Canary
	TrafficEnabled = podlabel.Enabled
	ManagedBy      = "finance-rollout"
	// AnnotationStack names the stack that owns a namespace, as project/stack.
	AnnotationStack = podlabel.Owner
	// AnnotationInterruption holds the number of the ledger's entry that a Deployment or a route was last written anew after.
	AnnotationInterruption = "finance-rollout/interruption"
)

// App identifies the service that is rolled out; every component takes it.
type App struct {
	// Name is the value of the pods' app label, for example finance-service.
	Name string
	// Environment is the value of their environment label, for example production.
	Environment string
	// Namespace is where everything lives. It is an output of Environment, so that all else waits for the namespace.
	Namespace pulumi.StringInput
}

func (a App) labels() pulumi.StringMap {
	return pulumi.StringMap{
		LabelApp:         pulumi.String(a.Name),
		LabelEnvironment: pulumi.String(a.Environment),
		LabelManagedBy:   pulumi.String(ManagedBy),
	}
}

func (a App) labelsWith(more map[string]string) pulumi.StringMap {
	labels := a.labels()
	maps.Copy(labels, pulumi.ToStringMap(more))
	return labels
}

func (a App) metadata(name string) metav1.ObjectMetaArgs {
	return metav1.ObjectMetaArgs{Name: pulumi.String(name), Namespace: a.Namespace, Labels: a.labels()}
}

// takenBack are the annotations of what a rollback changes in the cluster, or a person: replicas, the selector of the Service, the weights
// of a route. The next update takes the field back and fails on no conflict.
func takenBack() pulumi.StringMap {
	return pulumi.StringMap{"pulumi.com/patchForce": pulumi.String("true")}
}
