package components

import (
	"slices"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	autoscalingv2 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/autoscaling/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// autoscaler makes the HorizontalPodAutoscaler of the track, where one is wanted. It has the hooks of the track: a
// lower minimum takes pods away as much as fewer replicas do.
//
// It stays when the track has no pods, and does nothing then: an autoscaler leaves a Deployment with 0 replicas
// alone, whatever its minimum is. That is what keeps a canary that was rolled back from being scaled up again.
func (a *TrackArgs) autoscaler(ctx *pulumi.Context, name string, options []pulumi.ResourceOption,
	deployment *appsv1.Deployment) error {
	if a.Autoscale == nil {
		return nil
	}
	metadata := a.App.metadata(a.Name)
	metadata.Labels = a.labels()
	_, err := autoscalingv2.NewHorizontalPodAutoscaler(ctx, name, &autoscalingv2.HorizontalPodAutoscalerArgs{
		Metadata: metadata,
		Spec: autoscalingv2.HorizontalPodAutoscalerSpecArgs{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReferenceArgs{
				ApiVersion: pulumi.String("apps/v1"), Kind: pulumi.String("Deployment"), Name: deployment.Metadata.Name().Elem(),
			},
			MinReplicas: pulumi.Int(max(a.Replicas, a.Autoscale.Min, 1)),
			MaxReplicas: pulumi.Int(a.Autoscale.Max),
			Metrics: autoscalingv2.MetricSpecArray{autoscalingv2.MetricSpecArgs{
				Type: pulumi.String("Resource"),
				Resource: autoscalingv2.ResourceMetricSourceArgs{
					Name: pulumi.String("cpu"),
					Target: autoscalingv2.MetricTargetArgs{
						Type: pulumi.String("Utilization"), AverageUtilization: pulumi.Int(a.Autoscale.CPUPercent),
					},
				},
			}},
		},
	}, append(slices.Clone(options), pulumi.ResourceHooks(a.Hooks))...)
	return err
}
