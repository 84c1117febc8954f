// Package miniapi serves the part of the Kubernetes API that the guard uses, from memory: lists and watches of pods,
// ReplicaSets, Deployments and ConfigMaps, leases, labels of pods, scales, endpoints and events. With it, the guard's
// real program can watch hundreds of rollouts on one small machine, which has no room for thousands of pods.
//
// It does not check permissions and implements nothing else. It imports nothing of the product.
package miniapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// Object is anything with metadata.
type Object interface {
	runtime.Object
	metav1.Object
}

// Server is the API server of one namespace.
type Server struct {
	namespace string
	// OnChange is called with each pod whose labels change.
	OnChange func(pod *corev1.Pod)

	mu       sync.Mutex
	version  int
	objects  map[string]map[string]Object // by resource and name
	kinds    map[string][2]string         // apiVersion and kind by resource
	watchers map[string][]chan event
}

type event struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
}

// New returns the server of an empty namespace.
func New(namespace string) *Server {
	return &Server{
		namespace: namespace, objects: map[string]map[string]Object{}, watchers: map[string][]chan event{},
		kinds: map[string][2]string{
			"pods": {"v1", "Pod"}, "configmaps": {"v1", "ConfigMap"}, "replicasets": {"apps/v1", "ReplicaSet"},
			"deployments": {"apps/v1", "Deployment"},
			"leases":      {"coordination.k8s.io/v1", "Lease"}, "endpointslices": {"discovery.k8s.io/v1", "EndpointSlice"},
			"events":   {"v1", "Event"},
			"services": {"v1", "Service"},
		},
	}
}

// Put stores an object and notifies the watches of its resource.
func (s *Server) Put(resource string, object Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(resource, object)
}

func (s *Server) put(resource string, object Object) {
	s.version++
	kind := "ADDED"
	if s.objects[resource] == nil {
		s.objects[resource] = map[string]Object{}
	}
	if _, exists := s.objects[resource][object.GetName()]; exists {
		kind = "MODIFIED"
	}
	object.SetNamespace(s.namespace)
	object.SetResourceVersion(strconv.Itoa(s.version))
	s.objects[resource][object.GetName()] = object
	for _, watcher := range s.watchers[resource] {
		watcher <- event{kind, s.typed(resource, object)}
	}
}

// typed is an object with its kind, as it is sent to clients.
func (s *Server) typed(resource string, object Object) any {
	raw, err := json.Marshal(object)
	if err != nil {
		panic(fmt.Errorf("an object that cannot be encoded: %w", err))
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		panic(fmt.Errorf("an object that cannot be decoded: %w", err))
	}
	fields["apiVersion"], fields["kind"] = s.kinds[resource][0], s.kinds[resource][1]
	return fields
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, path, ok := strings.Cut(r.URL.Path, "/namespaces/"+s.namespace+"/")
	if !ok {
		write(w, http.StatusOK, map[string]string{"major": "1", "minor": "34"})
		return
	}
	parts := strings.Split(path, "/")
	resource, name, sub := parts[0], "", ""
	if len(parts) > 1 {
		name = parts[1]
	}
	if len(parts) > 2 {
		sub = parts[2]
	}
	switch {
	case r.Method == http.MethodGet && name == "" && r.URL.Query().Get("watch") != "":
		s.watch(w, r, resource)
	case r.Method == http.MethodGet && name == "":
		s.list(w, r, resource)
	case sub == "log":
		_, _ = w.Write([]byte("a line of the log\n"))
	case r.Method == http.MethodGet:
		s.get(w, resource, name)
	case r.Method == http.MethodPatch && sub == "scale":
		s.scale(w, r, name)
	case r.Method == http.MethodPatch && resource == "pods":
		s.label(w, r, name)
	case r.Method == http.MethodPost, r.Method == http.MethodPut:
		s.store(w, r, resource)
	default:
		fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, reason metav1.StatusReason) {
	write(w, status, metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Reason: reason,
		Code: int32(status), //nolint:gosec // an HTTP status
	})
}

// selected returns the objects of a list, sorted by name.
func (s *Server) selected(r *http.Request, resource string) []any {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		selector = labels.Nothing()
	}
	var names []string
	for name, object := range s.objects[resource] {
		if selector.Matches(labels.Set(object.GetLabels())) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	items := []any{}
	for _, name := range names {
		items = append(items, s.typed(resource, s.objects[resource][name]))
	}
	return items
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	write(w, http.StatusOK, map[string]any{
		"apiVersion": s.kinds[resource][0], "kind": s.kinds[resource][1] + "List",
		"metadata": map[string]string{"resourceVersion": strconv.Itoa(s.version)},
		"items":    s.selected(r, resource),
	})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, resource string) {
	if r.URL.Query().Get("sendInitialEvents") != "" {
		fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
		return
	}
	changes := make(chan event, 10000)
	s.mu.Lock()
	s.watchers[resource] = append(s.watchers[resource], changes)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	_ = control.Flush()
	encoder := json.NewEncoder(w)
	for {
		select {
		case <-r.Context().Done():
			return
		case change := <-changes:
			if encoder.Encode(change) != nil || control.Flush() != nil {
				return
			}
		}
	}
}

func (s *Server) get(w http.ResponseWriter, resource, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	object, exists := s.objects[resource][name]
	if !exists {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	}
	write(w, http.StatusOK, s.typed(resource, object))
}

// store replaces an object unless it has changed since the client read it. Clients may write JSON or protocol buffers.
func (s *Server) store(w http.ResponseWriter, r *http.Request, resource string) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
	object, ok := decoded.(Object)
	if err != nil || !ok {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if object.GetName() == "" {
		object.SetName(object.GetGenerateName() + strconv.Itoa(s.version))
	}
	before, exists := s.objects[resource][object.GetName()]
	if exists && (r.Method == http.MethodPost || object.GetResourceVersion() != before.GetResourceVersion()) {
		fail(w, http.StatusConflict, metav1.StatusReasonConflict)
		return
	}
	s.put(resource, object)
	write(w, http.StatusOK, s.typed(resource, object))
}

func (s *Server) label(w http.ResponseWriter, r *http.Request, name string) {
	var patch struct {
		Metadata struct {
			Labels map[string]*string `json:"labels"`
		} `json:"metadata"`
	}
	if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pod, ok := s.objects["pods"][name].(*corev1.Pod)
	if !ok {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	}
	changed := pod.DeepCopy()
	for key, value := range patch.Metadata.Labels {
		if value == nil {
			delete(changed.Labels, key)
			continue
		}
		changed.Labels[key] = *value
	}
	s.put("pods", changed)
	if s.OnChange != nil {
		s.OnChange(changed)
	}
	write(w, http.StatusOK, s.typed("pods", changed))
}

func (s *Server) scale(w http.ResponseWriter, r *http.Request, name string) {
	var patch struct {
		Spec struct {
			Replicas int32 `json:"replicas"`
		} `json:"spec"`
	}
	if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
		fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	deployment, ok := s.objects["deployments"][name].(*appsv1.Deployment)
	if !ok {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	}
	changed := deployment.DeepCopy()
	changed.Spec.Replicas, changed.Status.ReadyReplicas, changed.Status.UpdatedReplicas = &patch.Spec.Replicas,
		patch.Spec.Replicas, patch.Spec.Replicas
	s.put("deployments", changed)
	write(w, http.StatusOK, map[string]any{
		"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": map[string]string{"name": name, "namespace": s.namespace,
			"creationTimestamp": time.Now().UTC().Format(time.RFC3339)},
		"spec": map[string]any{"replicas": patch.Spec.Replicas},
	})
}
