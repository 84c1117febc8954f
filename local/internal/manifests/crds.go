package manifests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/vextrus/finance-rollout/build/toolchain"
)

// sumAnnotation holds the hash of the file that a definition was applied from. The files are megabytes: what is
// current is not sent again.
const sumAnnotation = "finance-rollout.local/sha256"

const operatorModule = "github.com/prometheus-operator/prometheus-operator"

// CRDSource says where the Prometheus Operator's definitions come from: its own module, at the version that the
// operator is built from.
type CRDSource struct {
	// Tools is the directory of the tools module that requires the operator.
	Tools string
}

// kinds are the operator's kinds that the cluster has; it does without those that are missing.
var kinds = []string{
	"alertmanagerconfigs", "alertmanagers", "podmonitors", "probes", "prometheuses", "prometheusrules", "servicemonitors",
}

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1",
	Resource: "customresourcedefinitions"}

func (a *Applier) applyCRDs(ctx context.Context, source CRDSource) error {
	dir, err := toolchain.ModuleDir(ctx, source.Tools, operatorModule)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		content, err := os.ReadFile(filepath.Join(dir, "example", "prometheus-operator-crd",
			"monitoring.coreos.com_"+kind+".yaml"))
		if err != nil {
			return err
		}
		if err := a.applyCRD(ctx, content); err != nil {
			return fmt.Errorf("apply definition of %s: %w", kind, err)
		}
	}
	return nil
}

func (a *Applier) applyCRD(ctx context.Context, content []byte) error {
	hash := sha256.Sum256(content)
	sum := hex.EncodeToString(hash[:])
	objects, err := decode(bytes.NewReader(content))
	if err != nil {
		return err
	}
	client := a.client.Resource(crdResource)
	for _, object := range objects {
		existing, err := client.Get(ctx, object.GetName(), metav1.GetOptions{})
		if err == nil && existing.GetAnnotations()[sumAnnotation] == sum && established(existing) {
			continue
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[sumAnnotation] = sum
		object.SetAnnotations(annotations)
		if err := a.apply(ctx, object); err != nil {
			return err
		}
		if err := a.awaitEstablished(ctx, object.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func (a *Applier) awaitEstablished(ctx context.Context, name string) error {
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 30*time.Second, true,
		func(ctx context.Context) (bool, error) {
			object, err := a.client.Resource(crdResource).Get(ctx, name, metav1.GetOptions{})
			return err == nil && established(object), err
		})
}

func established(crd *unstructured.Unstructured) bool {
	return condition(crd, "Established")
}

// condition reports whether a condition in the object's status is true.
func condition(object *unstructured.Unstructured, kind string) bool {
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		return false
	}
	for _, item := range conditions {
		if fields, ok := item.(map[string]any); ok && fields["type"] == kind {
			return fields["status"] == "True"
		}
	}
	return false
}
