package overlay

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/names"
)

// pods are those of a canary, with a variable and an overlay's usual neighbours.
func pods() Template {
	template := Skeleton{
		Service: "shop", Port: 8080, Volumes: []string{"tmp"}, HasStartup: true,
		Labels:      map[string]string{names.App: "shop", names.Track: names.Canary, names.Traffic: names.Enabled},
		Annotations: map[string]string{names.Checksum: "abc"},
	}.Template()
	container := named(object(template, "spec"), keyContainers, "shop")
	container["env"] = []any{map[string]any{"name": "HOST", "value": "db"}}
	return template
}

// patchOf reads a patch of YAML, as a stack's file holds it.
func patchOf(t *testing.T, text string) Patch {
	t.Helper()
	encoded, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var patch Patch
	if err := json.Unmarshal(encoded, &patch); err != nil {
		t.Fatal(err)
	}
	return patch
}

// sidecar is a container that the level restricted admits.
const sidecar = `{name: proxy, image: "proxy@sha256:aa", securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}`

// at reads a value by its path; an element of a list is named by its name or its place.
func at(value any, path string) any {
	for step := range strings.SplitSeq(path, "/") {
		switch holder := value.(type) {
		case map[string]any:
			value = holder[step]
		case []any:
			value = nil
			for _, item := range holder {
				if text(item, "name") == step {
					value = item
				}
			}
		default:
			return nil
		}
	}
	return value
}

func TestOverlaysThatAreAllowed(t *testing.T) {
	const service = "spec/containers/shop/"
	tests := []struct {
		name, patch, path string
		want              any
	}{
		{"nothing", `{}`, service + "image", "as the release decides"},
		{"a command", `spec: {containers: [{name: shop, command: [node]}]}`, service + "command", []any{"node"}},
		{"arguments", `spec: {containers: [{name: shop, args: [--port, "8080"]}]}`, service + "args", []any{"--port", "8080"}},
		{"a further container", `spec: {containers: [` + sidecar + `]}`, "spec/containers/proxy/image", "proxy@sha256:aa"},
		{"the service beside a further container", `spec: {containers: [` + sidecar + `]}`, service + "image",
			"as the release decides"},
		{"an init container", `spec: {initContainers: [` + sidecar + `]}`, "spec/initContainers/proxy/image",
			"proxy@sha256:aa"},
		{"a native sidecar", `spec: {initContainers: [` + strings.Replace(sidecar, "{name", "{restartPolicy: Always, name", 1) +
			`]}`, "spec/initContainers/proxy/restartPolicy", "Always"},
		{"a volume of a ConfigMap", `spec: {volumes: [{name: etc, configMap: {name: etc}}],
			containers: [{name: shop, volumeMounts: [{name: etc, mountPath: /etc/shop}]}]}`, "spec/volumes/etc/configMap/name", "etc"},
		{"a volume of a Secret", `spec: {volumes: [{name: keys, secret: {secretName: keys, defaultMode: 256}}]}`,
			"spec/volumes/keys/secret/defaultMode", int64(256)},
		{"a claim", `spec: {volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]}`,
			"spec/volumes/data/persistentVolumeClaim/claimName", "data"},
		{"a projected volume", `spec: {volumes: [{name: all, projected: {sources: [{secret: {name: a}}]}}]}`,
			"spec/volumes/all/projected/sources", []any{map[string]any{"secret": map[string]any{"name": "a"}}}},
		{"a volume stays beside a new one", `spec: {volumes: [{name: data, emptyDir: {sizeLimit: 1.5Gi}}]}`, "spec/volumes/tmp",
			map[string]any{"name": "tmp", "emptyDir": map[string]any{}}},
		{"a quantity keeps its text", `spec: {volumes: [{name: data, emptyDir: {sizeLimit: 1.5Gi}}]}`,
			"spec/volumes/data/emptyDir/sizeLimit", "1.5Gi"},
		{"a user", `spec: {securityContext: {runAsUser: 1001, fsGroup: 1001}}`, "spec/securityContext",
			map[string]any{"runAsUser": int64(1001), "fsGroup": int64(1001), "runAsNonRoot": true,
				"seccompProfile": map[string]any{"type": "RuntimeDefault"}}},
		{"a toleration", `spec: {tolerations: [{key: spot, operator: Exists}]}`, "spec/tolerations",
			[]any{map[string]any{"key": "spot", "operator": "Exists"}}},
		{"a node selector", `spec: {nodeSelector: {pool: money}}`, "spec/nodeSelector/pool", "money"},
		{"an affinity", `spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [
			{topologyKey: kubernetes.io/hostname}]}}}`,
			"spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution",
			[]any{map[string]any{"topologyKey": "kubernetes.io/hostname"}}},
		{"a priority", `spec: {priorityClassName: money}`, "spec/priorityClassName", "money"},
		{"an annotation", `metadata: {annotations: {linkerd.io/inject: enabled}}`, "metadata/annotations",
			map[string]any{names.Checksum: "abc", "linkerd.io/inject": "enabled"}},
		{"a label", `metadata: {labels: {team: payments}}`, "metadata/labels/team", "payments"},
		{"a label that says what is", `metadata: {labels: {track: canary}}`, "metadata/labels/track", "canary"},
		{"a further port", `spec: {containers: [{name: shop, ports: [{name: admin, containerPort: 9090}]}]}`, service + "ports",
			[]any{map[string]any{"name": "admin", "containerPort": int64(9090)},
				map[string]any{"name": "http", "containerPort": int64(8080), "protocol": "TCP"}}},
		{"a readiness probe by a command", `spec: {containers: [{name: shop, readinessProbe: {$patch: replace, exec: {command: [ok]}}}]}`,
			service + "readinessProbe", map[string]any{"exec": map[string]any{"command": []any{"ok"}}}},
		{"a readiness probe by gRPC", `spec: {containers: [{name: shop, readinessProbe: {httpGet: null, grpc: {port: 8080}}}]}`,
			service + "readinessProbe", map[string]any{"grpc": map[string]any{"port": int64(8080)}}},
		{"a liveness probe by TCP", `spec: {containers: [{name: shop, livenessProbe: {httpGet: null, tcpSocket: {port: http}}}]}`,
			service + "livenessProbe/tcpSocket/port", "http"},
		{"no startup probe", `spec: {containers: [{name: shop, startupProbe: null}]}`, service + "startupProbe", nil},
		{"a hook after the start", `spec: {containers: [{name: shop, lifecycle: {postStart: {exec: {command: [warm]}}}}]}`,
			service + "lifecycle", map[string]any{"preStop": map[string]any{"sleep": map[string]any{"seconds": int64(1)}},
				"postStart": map[string]any{"exec": map[string]any{"command": []any{"warm"}}}}},
		{"a variable follows what it may refer to",
			`spec: {containers: [{name: shop, env: [{name: URL, value: "pg://$(HOST)"}]}]}`, service + "env",
			[]any{map[string]any{"name": "HOST", "value": "db"}, map[string]any{"name": "URL", "value": "pg://$(HOST)"}}},
		{"the patch orders the variables", `spec: {containers: [{name: shop, $setElementOrder/env: [{name: URL}, {name: HOST}],
			env: [{name: URL, value: x}]}]}`, service + "env",
			[]any{map[string]any{"name": "URL", "value": "x"}, map[string]any{"name": "HOST", "value": "db"}}},
		{"a volume is removed with its mount", `spec: {volumes: [{name: tmp, $patch: delete}],
			containers: [{name: shop, volumeMounts: [{mountPath: /tmp, $patch: delete}]}]}`, service + "volumeMounts", []any{}},
		{"restartPolicy as it is", `spec: {restartPolicy: Always}`, "spec/restartPolicy", "Always"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := pods()
			got, err := Lay(before, "shop", patchOf(t, tt.patch))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, at(got, tt.path)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.path, diff)
			}
			if diff := cmp.Diff(pods(), before); diff != "" {
				t.Errorf("the template was changed:\n%s", diff)
			}
			if first := text(list(object(got, "spec"), keyContainers)[0], "name"); first != "shop" {
				t.Errorf("kubectl takes %s for the pod's container", first)
			}
		})
	}
}

func TestOverlaysThatAreRefused(t *testing.T) {
	tests := []struct{ name, patch, want string }{
		{"another track", `metadata: {labels: {track: stable}}`, `pod metadata.labels.track is "stable": the Service`},
		{"no app label", `metadata: {labels: {app: null}}`, `pod metadata.labels.app: the Service`},
		{"other labels", `metadata: {labels: {$patch: replace, team: payments}}`, `metadata.labels.traffic`},
		{"no metadata", `metadata: {$patch: delete}`, `metadata.labels.app`},
		{"another checksum", `metadata: {annotations: {finance-rollout/config-checksum: x}}`,
			`pod metadata.annotations.finance-rollout/config-checksum is "x": the rollout reads it from the pods, so that it stays "abc"`},
		{"another image", `spec: {containers: [{name: shop, image: "shop:v9"}]}`,
			`pod spec.containers.shop.image is "shop:v9": the release decides about the service's image`},
		{"no image", `spec: {containers: [{name: shop, image: null}]}`, `pod spec.containers.shop.image: the release`},
		{"the service's container removed", `spec: {containers: [{name: shop, $patch: delete}, ` + sidecar + `]}`,
			`pod spec.containers is "proxy": the container shop is the service itself`},
		{"other containers", `spec: {containers: [{$patch: replace}, ` + sidecar + `]}`, `the container shop is the service itself`},
		{"a container by a wrong name", `spec: {containers: [{name: shopp, args: [x]}]}`,
			`pod spec.containers.shopp.image: a new container needs an image; the container of the service is called shop`},
		{"no readiness probe", `spec: {containers: [{name: shop, readinessProbe: null}]}`,
			`pod spec.containers.shop.readinessProbe: a pod without a readiness probe`},
		{"a readiness probe without a question", `spec: {containers: [{name: shop, readinessProbe: {httpGet: null}}]}`,
			`a pod without a readiness probe`},
		{"two ways to ask", `spec: {containers: [{name: shop, readinessProbe: {exec: {command: [ok]}}}]}`,
			`pod spec.containers.shop.readinessProbe is "exec, httpGet": one of them is allowed`},
		{"two ways to stop", `spec: {containers: [{name: shop, lifecycle: {preStop: {exec: {command: [stop]}}}}]}`,
			`pod spec.containers.shop.lifecycle.preStop is "exec, sleep": one of them is allowed`},
		{"another port of that name", `spec: {containers: [{name: shop, ports: [{name: http, containerPort: 9090}]}]}`,
			`pod spec.containers.shop.ports is "http 9090": the Service, the probes and the guard use the port http 8080`},
		{"another name of the port", `spec: {containers: [{name: shop, ports: [{name: web, containerPort: 8080}]}]}`,
			`pod spec.containers.shop.ports is "web 8080"`},
		{"no ports", `spec: {containers: [{name: shop, ports: [{$patch: replace}]}]}`, `the port http 8080`},
		{"the port's name at a sidecar", `spec: {containers: [` +
			strings.Replace(sidecar, "{name", "{ports: [{name: http, containerPort: 1}], name", 1) + `]}`,
			`pod spec.containers.proxy.ports.http is "http": the port of that name is the service's`},
		{"a pod that ends", `spec: {restartPolicy: Never}`, `pod spec.restartPolicy is "Never": the pods of a Deployment`},
		{"a mount without a volume", `spec: {containers: [{name: shop, volumeMounts: [{name: tpm, mountPath: /x}]}]}`,
			`pod spec.containers.shop.volumeMounts is "tpm": no volume is called that; the volumes are tmp`},
		{"a volume without its mount", `spec: {volumes: [{name: tmp, $patch: delete}]}`, `is "tmp": no volume`},
		{"root", `spec: {securityContext: {runAsUser: 0}}`, `the namespace admits only pods of the level restricted`},
		{"a path of the node", `spec: {volumes: [{name: etc, hostPath: {path: /etc}}]}`, `hostPath`},
		{"a sidecar with privileges", `spec: {containers: [{name: proxy, image: p}]}`, `allowPrivilegeEscalation != false`},
		{"the node's network", `spec: {hostNetwork: true}`, `host namespaces`},
		{"a directive that is none", `spec: {containers: [{name: shop, $patch: remove}]}`, `merge the patch`},
		{"an unknown directive", `spec: {$keep: true}`, `the patch makes no pod template`},
		{"a container without a name", `spec: {containers: [{image: p}]}`, `merge key: name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Lay(pods(), "shop", patchOf(t, tt.patch))
			if err == nil {
				t.Fatalf("accepted: %v", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error does not say %q:\n%v", tt.want, err)
			}
		})
	}
}

// An overlay of a track comes after that of both tracks, and what both add keeps its place.
func TestOverlaysFollowEachOther(t *testing.T) {
	both := patchOf(t, `spec: {nodeSelector: {pool: a, zone: x}, initContainers: [`+sidecar+`]}`)
	track := patchOf(t, `spec: {nodeSelector: {pool: b}, initContainers: [`+strings.Replace(sidecar, "proxy,", "late,", 1)+`]}`)
	got, err := Lay(pods(), "shop", both, nil, track)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"pool": "b", "zone": "x"}, at(got, "spec/nodeSelector")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"proxy", "late"}, namesIn(object(got, "spec"), keyInitContainers)); diff != "" {
		t.Error(diff)
	}
}

func TestPatchesAreReadStrictly(t *testing.T) {
	for _, text := range []string{
		`{"spec":{"contaners":[]}}`, `{"Spec":{}}`, `{"spec":{"containers":{}}}`, `{"spec":{"priority":"high"}}`, `[]`, `{`,
		`{"spec":{"hostNetwork":"yes"}}`, `{"spec":{},"spec":{}}`,
	} {
		var patch Patch
		if err := json.Unmarshal([]byte(text), &patch); err == nil {
			t.Errorf("%s gives %v", text, patch)
		}
	}
}

func TestAddsContainers(t *testing.T) {
	for text, want := range map[string]bool{
		`{}`: false, `spec: {nodeSelector: {a: b}}`: false, `spec: {containers: [{name: shop, args: [x]}]}`: false,
		`spec: {containers: [` + sidecar + `]}`: true, `spec: {initContainers: [` + sidecar + `]}`: true,
	} {
		if got := patchOf(t, text).AddsContainers("shop"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
