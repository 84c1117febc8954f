package cluster

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/testkit/portforward"
)

// target is what a path of the API names.
type target struct {
	resource               schema.GroupVersionResource
	namespace, name        string
	subresource, remainder string
}

// parse reads a path such as /apis/apps/v1/namespaces/shop/deployments/finance/scale.
func parse(at string) (target, bool) {
	parts := strings.Split(strings.Trim(at, "/"), "/")
	var t target
	switch {
	case len(parts) >= 2 && parts[0] == "api":
		t.resource.Version, parts = parts[1], parts[2:]
	case len(parts) >= 3 && parts[0] == "apis":
		t.resource.Group, t.resource.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return t, false
	}
	if len(parts) >= 3 && parts[0] == "namespaces" {
		t.namespace, parts = parts[1], parts[2:]
	}
	for _, field := range []*string{&t.resource.Resource, &t.name, &t.subresource} {
		if len(parts) > 0 {
			*field, parts = parts[0], parts[1:]
		}
	}
	t.remainder = strings.Join(parts, "/")
	return t, true
}

// ServeHTTP is the API server.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at, ok := parse(r.URL.Path)
	switch {
	case r.URL.Path == "/version":
		at.resource.Resource = "version"
		c.answer(w, at, c.probe(at, "get"), func() (any, error) {
			return map[string]string{"major": "1", "minor": "34", "gitVersion": Version}, nil
		})
	case !ok:
		http.NotFound(w, r)
	case at.resource.Resource == "":
		c.discover(w, at.resource.GroupVersion())
	case at.subresource == "log":
		c.log(w, r, at)
	case at.subresource == "portforward":
		c.forward(w, r, at)
	case at.subresource == "proxy":
		c.proxy(w, r, at)
	default:
		action, err := c.action(r, at)
		c.answer(w, at, err, func() (any, error) { return c.invoke(action, at, r) })
	}
}

// Version is the version of the API server.
const Version = "v1.34.4"

// call notes what was asked.
func (c *Cluster) call(verb string, at target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resource := at.resource.Resource
	if at.subresource != "" {
		resource += "/" + at.subresource
	}
	c.calls = append(c.calls, strings.TrimSpace(verb+" "+resource+" "+at.name))
}

// probe gives what reactors have against a request that no tracker answers.
func (c *Cluster) probe(at target, verb string) error {
	c.call(verb, at)
	_, err := c.fake.Invokes(clienttesting.GenericActionImpl{ActionImpl: clienttesting.ActionImpl{
		Verb: verb, Resource: at.resource, Subresource: at.subresource, Namespace: at.namespace}}, nil)
	return err
}

// exists reports whether the object of a subresource exists and may be reached.
func (c *Cluster) exists(at target, verb string) error {
	c.call(verb, at)
	action := clienttesting.NewGetSubresourceAction(at.resource, at.namespace, at.subresource, at.name)
	// Reactors see the verb that permissions name; the tracker looks the object up for any.
	action.Verb = verb
	_, err := c.fake.Invokes(action, nil)
	return err
}

// action reads what a request asks for.
func (c *Cluster) action(r *http.Request, at target) (clienttesting.Action, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	manager := query.Get("fieldManager")
	switch r.Method {
	case http.MethodGet:
		if at.name != "" {
			return clienttesting.NewGetSubresourceAction(at.resource, at.namespace, at.subresource, at.name), nil
		}
		return clienttesting.NewListActionWithOptions(at.resource, kindOf(at.resource), at.namespace,
			metav1.ListOptions{LabelSelector: query.Get("labelSelector")}), nil
	case http.MethodPost:
		object, err := decode(at.resource, body)
		action := clienttesting.NewCreateActionWithOptions(at.resource, at.namespace, object,
			metav1.CreateOptions{FieldManager: manager})
		action.Subresource = at.subresource
		return action, err
	case http.MethodPut:
		object, err := decode(at.resource, body)
		action := clienttesting.NewUpdateActionWithOptions(at.resource, at.namespace, object,
			metav1.UpdateOptions{FieldManager: manager})
		action.Subresource = at.subresource
		return action, err
	case http.MethodPatch:
		options := metav1.PatchOptions{FieldManager: manager}
		if force := query.Get("force") == "true"; force {
			options.Force = &force
		}
		action := clienttesting.NewPatchSubresourceActionWithOptions(at.resource, at.namespace, at.name,
			types.PatchType(r.Header.Get("Content-Type")), body, options)
		action.Subresource = at.subresource
		return action, nil
	case http.MethodDelete:
		options := metav1.DeleteOptions{}
		if len(body) > 0 {
			if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, &options); err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
		}
		return clienttesting.NewDeleteActionWithOptions(at.resource, at.namespace, at.name, options), nil
	default:
		return nil, apierrors.NewMethodNotSupported(at.resource.GroupResource(), r.Method)
	}
}

// kindOf guesses the kind of a resource.
func kindOf(resource schema.GroupVersionResource) schema.GroupVersionKind {
	for kind := range scheme.Scheme.KnownTypes(resource.GroupVersion()) {
		known := resource.GroupVersion().WithKind(kind)
		if plural, _ := meta.UnsafeGuessKindToResource(known); plural == resource {
			return known
		}
	}
	return resource.GroupVersion().WithKind("")
}

// decode reads an object. Clients write protobuf as well as JSON.
func decode(resource schema.GroupVersionResource, body []byte) (runtime.Object, error) {
	if scheme.Scheme.IsGroupRegistered(resource.Group) {
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		return object, err
	}
	object := &unstructured.Unstructured{}
	err := object.UnmarshalJSON(body)
	return object, err
}

// invoke carries an action out.
func (c *Cluster) invoke(action clienttesting.Action, at target, r *http.Request) (any, error) {
	c.call(action.GetVerb(), at)
	object, err := c.fake.Invokes(action, nil)
	if err != nil {
		return nil, err
	}
	if object == nil {
		return metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusSuccess}, nil
	}
	object = object.DeepCopyObject()
	kind := kindOf(at.resource)
	if meta.IsListType(object) {
		kind.Kind += "List"
		if err := narrow(object, r.URL.Query().Get("labelSelector")); err != nil {
			return nil, err
		}
	}
	if _, untyped := object.(*unstructured.Unstructured); !untyped && at.subresource != "scale" {
		object.GetObjectKind().SetGroupVersionKind(kind)
	}
	return object, nil
}

// narrow leaves the objects of a list that the selector selects.
func narrow(object runtime.Object, text string) error {
	selector, err := labels.Parse(text)
	if err != nil {
		return err
	}
	items, err := meta.ExtractList(object)
	if err != nil {
		return err
	}
	var kept []runtime.Object
	for _, item := range items {
		named, err := meta.Accessor(item)
		if err != nil {
			return err
		}
		if selector.Matches(labels.Set(named.GetLabels())) {
			kept = append(kept, item)
		}
	}
	return meta.SetList(object, kept)
}

// answer writes an object, or the error as the API server writes it.
func (c *Cluster) answer(w http.ResponseWriter, at target, err error, object func() (any, error)) {
	var body any
	if err == nil {
		body, err = object()
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status := apierrors.NewInternalError(err).Status()
		if known := apierrors.APIStatus(nil); errors.As(err, &known) {
			status = known.Status()
		}
		status.Kind, status.APIVersion = "Status", "v1"
		w.WriteHeader(int(status.Code))
		body = status
	}
	if err := json.NewEncoder(w).Encode(body); err != nil {
		c.t.Errorf("answer %s %s: %v", at.resource.Resource, at.name, err)
	}
}

// discover lists the kinds of an API group version.
func (c *Cluster) discover(w http.ResponseWriter, group schema.GroupVersion) {
	c.mu.Lock()
	kinds := c.kinds[group.String()]
	c.mu.Unlock()
	at := target{resource: group.WithResource("kinds")}
	var err error
	if kinds == nil {
		err = apierrors.NewNotFound(schema.GroupResource{Group: group.Group}, "")
	}
	c.answer(w, at, errors.Join(c.probe(at, "get"), err), func() (any, error) {
		list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
			GroupVersion: group.String()}
		for _, kind := range kinds {
			plural, _ := meta.UnsafeGuessKindToResource(group.WithKind(kind))
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: plural.Resource, Kind: kind})
		}
		return list, nil
	})
}

func (c *Cluster) log(w http.ResponseWriter, r *http.Request, at target) {
	if err := c.exists(at, "get"); err != nil {
		c.answer(w, at, err, nil)
		return
	}
	c.mu.Lock()
	text := c.logs[logKey(at.namespace, at.name, r.URL.Query().Get("previous") == "true")]
	c.mu.Unlock()
	_, _ = io.WriteString(w, text)
}

// forward lets the pod's handler answer a port-forward.
func (c *Cluster) forward(w http.ResponseWriter, r *http.Request, at target) {
	if err := c.exists(at, "create"); err != nil {
		c.answer(w, at, err, nil)
		return
	}
	handler := c.handlerOf(at)
	if handler == nil {
		handler = http.NotFoundHandler()
	}
	backend := httptest.NewServer(handler)
	defer backend.Close()
	portforward.NewNode(backend.Listener.Addr().String()).ServeHTTP(w, r)
}

// handlerOf is the handler of a pod, or of its Deployment; nil for none.
func (c *Cluster) handlerOf(at target) http.Handler {
	c.mu.Lock()
	defer c.mu.Unlock()
	if handler := c.pods[at.namespace+"/"+at.name]; handler != nil {
		return handler
	}
	object, err := c.objects.Get(at.resource, at.namespace, at.name)
	if err != nil {
		return nil
	}
	pod, err := meta.Accessor(object)
	if err != nil || metav1.GetControllerOf(pod) == nil {
		return nil
	}
	set, err := c.objects.Get(replicaSets, at.namespace, metav1.GetControllerOf(pod).Name)
	if err != nil {
		return nil
	}
	owner, err := meta.Accessor(set)
	if err != nil || metav1.GetControllerOf(owner) == nil {
		return nil
	}
	return c.pods[at.namespace+"/"+metav1.GetControllerOf(owner).Name]
}

// proxy lets a Service's handler answer through the service proxy.
func (c *Cluster) proxy(w http.ResponseWriter, r *http.Request, at target) {
	c.mu.Lock()
	handler := c.services[at.namespace+"/"+at.name]
	c.mu.Unlock()
	err := c.probe(at, strings.ToLower(r.Method))
	if err == nil && handler == nil {
		service, _, _ := strings.Cut(at.name, ":")
		err = apierrors.NewNotFound(corev1.Resource("services"), service)
	}
	if err != nil {
		c.answer(w, at, err, nil)
		return
	}
	http.StripPrefix(strings.TrimSuffix(r.URL.Path, "/"+at.remainder), handler).ServeHTTP(w, r)
}
