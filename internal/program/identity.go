package program

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// systemNamespace is the namespace whose UID stands for the cluster: every cluster has one, and it is never made anew.
const systemNamespace = "kube-system"

// clusterOutput is the stack's output with the identity of its cluster.
const clusterOutput = "cluster"

// clusterIdentity is the UID of the cluster that the settings lead to; empty where the user may not look at it. It is
// an error when the stack belongs to another one: the configuration names that, or the last update reached it.
func clusterIdentity(ctx *pulumi.Context, s *settings.Settings, cluster Cluster, remembered string) (string, error) {
	limited, cancel := context.WithTimeout(ctx.Context(), 20*time.Second)
	defer cancel()
	namespace, exists, err := cluster.NamespaceOwner(limited, systemNamespace)
	switch {
	case apierrors.IsForbidden(err):
		return "", ctx.Log.Warn(fmt.Sprintf("the cluster cannot be told from another one: reading namespace %s is "+
			"not allowed (%v); allow it as in docs/rbac.yaml", systemNamespace, err), nil)
	case err != nil:
		return "", err
	case !exists:
		return "", ctx.Log.Warn("the cluster cannot be told from another one: it has no namespace "+systemNamespace, nil)
	}
	belongs, by := s.Cluster, "its configuration names the cluster"
	if belongs == "" {
		belongs, by = remembered, "its last update reached the cluster"
	}
	if belongs == "" || belongs == namespace.UID {
		return namespace.UID, nil
	}
	return "", &elsewhereError{
		stack: ctx.Stack(), belongs: belongs, by: by, reached: namespace.UID, origin: cluster.Origin(),
	}
}

// elsewhereError says that the stack belongs to another cluster than the settings lead to.
type elsewhereError struct{ stack, belongs, by, reached, origin string }

// Error names both clusters, the way back and the way to move on purpose.
func (e *elsewhereError) Error() string {
	return fmt.Sprintf("stack %[1]s belongs to another cluster: %[3]s with the UID %[2]s, and %[5]s leads to "+
		"the one with the UID %[4]s. Nothing was changed. To go on there: `pulumi config set kubeContext CONTEXT "+
		"-s %[1]s`. To move the stack here on purpose: `pulumi config set cluster %[4]s -s %[1]s && "+
		"pulumi state unprotect --all -s %[1]s`",
		e.stack, e.belongs, e.by, e.reached, e.origin)
}
