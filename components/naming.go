package components

import (
	"maps"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

// App identifies the service that is rolled out; every component takes it.
type App struct {
	// Name is the value of the pods' app label, for example finance-service.
	Name string
	// Environment is the value of their environment label, for example production.
	Environment string
	// Namespace is where everything lives. It is an output of Environment, so that all else waits for the namespace.
	Namespace pulumi.StringInput
	// Prefix begins the names of those resources that are called after their objects, where a stack holds several
	// rollouts: two of them may have a Secret of the same name, in namespaces of their own. It is empty for one.
	Prefix string
}

func (a App) labels() pulumi.StringMap { return a.labelsWith(nil) }

func (a App) labelsWith(more map[string]string) pulumi.StringMap {
	return pulumi.ToStringMap(a.plainLabels(more))
}

func (a App) plainLabels(more map[string]string) map[string]string {
	labels := map[string]string{names.App: a.Name, names.Environment: a.Environment, names.ManagedBy: names.Program}
	maps.Copy(labels, more)
	return labels
}

func (a App) metadata(name string) metav1.ObjectMetaArgs {
	return metav1.ObjectMetaArgs{Name: pulumi.String(name), Namespace: a.Namespace, Labels: a.labels()}
}

// takenBack are the annotations of what a rollback changes in the cluster, or a person: replicas, the selector of the
// Service, the weights of a route. The next update takes the field back and fails on no conflict.
func takenBack() pulumi.StringMap {
	return pulumi.StringMap{"pulumi.com/patchForce": pulumi.String("true")}
}
