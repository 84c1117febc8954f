package manifests

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func values() Values {
	images := map[string]string{}
	for _, name := range []string{
		"coredns", "prometheus-operator", "prometheus-config-reloader", "prometheus", "alertmanager", "kube-state-metrics",
	} {
		images[name] = "localhost:5001/local/" + name + "@sha256:0"
	}
	return Values{
		Images: images, Node: "node", NodeIP: "10.0.0.1", DNS: "10.0.1.10", PrometheusNodePort: 30090, PostgresPort: 5432,
	}
}

func TestRenderedObjectsCanBeApplied(t *testing.T) {
	objects, err := Render(values())
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := RenderGateway(GatewayValues{Port: 18080, User: "traefik"})
	if err != nil {
		t.Fatal(err)
	}
	objects = append(objects, gateway...)
	seen := map[string]bool{}
	namespaces := map[string]bool{"kube-system": true}
	for _, object := range objects {
		id := strings.Join([]string{object.GetAPIVersion(), object.GetKind(), object.GetNamespace(), object.GetName()}, "/")
		if object.GetAPIVersion() == "" || object.GetKind() == "" || object.GetName() == "" {
			t.Errorf("%s: not a complete object", id)
		}
		if seen[id] {
			t.Errorf("%s occurs twice", id)
		}
		seen[id] = true
		if object.GetKind() == "Namespace" {
			namespaces[object.GetName()] = true
		}
		if namespace := object.GetNamespace(); namespace != "" && !namespaces[namespace] {
			t.Errorf("%s: its namespace is not made before it", id)
		}
	}
}

// Nothing is pulled from anywhere but the local registry, and nothing takes much of two processors.
func TestImagesAreLocal(t *testing.T) {
	objects, err := Render(values())
	if err != nil {
		t.Fatal(err)
	}
	matches := 0
	var visit func(path string, value any)
	visit = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, child := range value {
				if image, ok := child.(string); ok && key == "image" {
					matches++
					if !strings.HasPrefix(image, "localhost:5001/local/") {
						t.Errorf("%s: image %s", path, image)
					}
				}
				visit(path+"."+key, child)
			}
		case []any:
			for _, child := range value {
				visit(path, child)
			}
		}
	}
	for _, object := range objects {
		visit(object.GetKind()+"/"+object.GetName(), object.Object)
	}
	if matches != 5 {
		t.Errorf("%d images, want 5", matches)
	}
}

func TestRenderNeedsEveryImage(t *testing.T) {
	for name := range values().Images {
		incomplete := values()
		delete(incomplete.Images, name)
		if _, err := Render(incomplete); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without the image of %s: error %v, want one that names it", name, err)
		}
	}
}

func TestAwaited(t *testing.T) {
	targets, err := awaited(values())
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, target := range targets {
		kinds[target.GetKind()]++
	}
	if kinds["Node"] != 1 || kinds["Deployment"] != 3 || kinds["Prometheus"] != 1 || kinds["Alertmanager"] != 1 {
		t.Errorf("waits for %v", kinds)
	}
}

func TestCondition(t *testing.T) {
	object := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": []any{
		map[string]any{"type": "Available", "status": "True"}, map[string]any{"type": "Ready", "status": "False"},
	}}}}
	for kind, want := range map[string]bool{"Available": true, "Ready": false, "Missing": false} {
		if got := condition(object, kind); got != want {
			t.Errorf("%s: %t, want %t", kind, got, want)
		}
	}
}

func TestTheGatewayListensWhereTraefikDoes(t *testing.T) {
	objects, err := RenderGateway(GatewayValues{Port: 18080, User: "someone"})
	if err != nil {
		t.Fatal(err)
	}
	matches := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		matches[object.GetKind()] = object
	}
	listeners, _, err := unstructured.NestedSlice(matches["Gateway"].Object, "spec", "listeners")
	if err != nil || len(listeners) != 1 || fmt.Sprint(listeners[0].(map[string]any)["port"]) != "18080" {
		t.Errorf("listeners %v, %v", listeners, err)
	}
	subjects, _, err := unstructured.NestedSlice(matches["ClusterRoleBinding"].Object, "subjects")
	if err != nil || len(subjects) != 1 || subjects[0].(map[string]any)["name"] != "someone" {
		t.Errorf("subjects %v, %v", subjects, err)
	}
}
