// Package manifests holds the local cluster's own workloads as YAML and applies them with server-side
// apply. It talks to the API server and imports nothing of the product.
package manifests

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

const fieldManager = "finance-rollout-local"

//go:embed yaml/*.yaml
var files embed.FS

// Values fill the templates of the manifests.
type Values struct {
	// Images are references by digest, by the name of the program that they hold.
	Images map[string]string
	// Node is the node's name, NodeIP the address of the machine that pods can reach.
	Node, NodeIP string
	// DNS is the cluster address of the name service.
	DNS                              string
	PrometheusNodePort, PostgresPort int
}

// Applier applies manifests to one cluster.
type Applier struct {
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

// NewApplier connects to the cluster of a kubeconfig.
func NewApplier(kubeconfig string) (*Applier, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 100, 200
	config.WarningHandler = nil
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &Applier{client: client,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discoverer))}, nil
}

// Apply applies everything: the custom resource definitions first, since others are made of them.
func (a *Applier) Apply(ctx context.Context, values Values, crds CRDSource) error {
	if err := a.applyCRDs(ctx, crds); err != nil {
		return err
	}
	objects, err := Render(values)
	if err != nil {
		return err
	}
	return a.applyAll(ctx, objects)
}

// applyAll applies the objects one after another.
func (a *Applier) applyAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := a.apply(ctx, object); err != nil {
			return fmt.Errorf("apply %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
		}
	}
	return nil
}

// Render returns the objects in the order in which they are to be applied.
func Render(values Values) ([]*unstructured.Unstructured, error) {
	return render(files, "yaml", values, template.FuncMap{"image": func(name string) (string, error) {
		reference := values.Images[name]
		if reference == "" {
			return "", fmt.Errorf("no image of %s", name)
		}
		return reference, nil
	}})
}

// render fills the manifests of a folder with values.
func render(files fs.FS, folder string, values any, functions template.FuncMap) ([]*unstructured.Unstructured, error) {
	names, err := fs.Glob(files, folder+"/*.yaml")
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, name := range names {
		parsed, err := template.New("").Funcs(functions).ParseFS(files, name)
		if err != nil {
			return nil, err
		}
		var content bytes.Buffer
		if err := parsed.ExecuteTemplate(&content, strings.TrimPrefix(name, folder+"/"), values); err != nil {
			return nil, err
		}
		decoded, err := decode(&content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, decoded...)
	}
	return objects, nil
}

// decode returns the objects of a YAML stream.
func decode(stream io.Reader) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(stream, 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// resource returns the client for objects of the same kind and namespace.
func (a *Applier) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		a.mapper.Reset()
		mapping, err = a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return a.client.Resource(mapping.Resource).Namespace(object.GetNamespace()), nil
	}
	return a.client.Resource(mapping.Resource), nil
}

func (a *Applier) apply(ctx context.Context, object *unstructured.Unstructured) error {
	client, err := a.resource(object)
	if err != nil {
		return err
	}
	_, err = client.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}
