// Command empty is the baseline of the preview benchmark: the smallest Pulumi program that uses the same cluster
// through the same provider, with one ConfigMap. It imports nothing of the product.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		provider, err := kubernetes.NewProvider(ctx, "cluster",
			&kubernetes.ProviderArgs{EnableServerSideApply: pulumi.Bool(true)})
		if err != nil {
			return err
		}
		_, err = corev1.NewConfigMap(ctx, "empty", &corev1.ConfigMapArgs{
			Metadata: metav1.ObjectMetaArgs{Name: pulumi.String("finance-rollout-bench"), Namespace: pulumi.String("default")},
			Data:     pulumi.StringMap{"purpose": pulumi.String("benchmark of pulumi preview")},
		}, pulumi.Provider(provider))
		return err
	})
}
