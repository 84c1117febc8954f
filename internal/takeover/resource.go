package takeover

import "k8s.io/apimachinery/pkg/runtime/schema"

// ResourceOf is the resource of a kind of an extension that owns objects of a service. The second result is false for a
// kind that is not known here.
func ResourceOf(kind string) (resource schema.GroupVersionResource, known bool) {
	switch kind {
	case "Rollout":
		return schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}, true
	case "Canary":
		return schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "canaries"}, true
	case "ScaledObject":
		return schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}, true
	default:
		return schema.GroupVersionResource{}, false
	}
}
