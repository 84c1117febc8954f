package overlay

import "github.com/vextrus/finance-rollout/internal/names"

// Skeleton is what a patch must leave of a track's pods, and what it may refer to. Patches are checked on it before
// there is a whole template.
type Skeleton struct {
	// Service is the name of the service's own container, Port the port that it listens on.
	Service string
	Port    int
	// Labels and Annotations are those of the pods.
	Labels, Annotations map[string]string
	// Volumes are the names of the volumes.
	Volumes []string
	// Requests are what the service's container asks of its node.
	Requests map[string]string
	// HasStartup tells that there is a startup probe.
	HasStartup bool
}

// Template is the skeleton as a template.
func (s Skeleton) Template() Template {
	probe := func() map[string]any {
		return map[string]any{"httpGet": map[string]any{"path": "/", "port": names.Port}}
	}
	container := map[string]any{
		"name": s.Service, "image": "as the release decides",
		"ports":         []any{map[string]any{"name": names.Port, "containerPort": int64(s.Port), "protocol": "TCP"}},
		"livenessProbe": probe(), "readinessProbe": probe(),
		"lifecycle": map[string]any{"preStop": map[string]any{"sleep": map[string]any{"seconds": int64(1)}}},
		"securityContext": map[string]any{"allowPrivilegeEscalation": false,
			"capabilities": map[string]any{"drop": []any{"ALL"}}},
	}
	if len(s.Requests) > 0 {
		container["resources"] = map[string]any{"requests": texts(s.Requests)}
	}
	if s.HasStartup {
		container["startupProbe"] = probe()
	}
	var volumes, mounts []any
	for _, name := range s.Volumes {
		volumes = append(volumes, map[string]any{"name": name, "emptyDir": map[string]any{}})
		mounts = append(mounts, map[string]any{"name": name, "mountPath": "/" + name})
	}
	container["volumeMounts"] = mounts
	return Template{
		"metadata": map[string]any{"labels": texts(s.Labels), "annotations": texts(s.Annotations)},
		"spec": map[string]any{
			"securityContext": map[string]any{"runAsNonRoot": true, "runAsUser": int64(1),
				"seccompProfile": map[string]any{"type": "RuntimeDefault"}},
			"volumes": volumes, keyContainers: []any{container},
		},
	}
}

func texts(values map[string]string) map[string]any {
	plain := map[string]any{}
	for key, value := range values {
		plain[key] = value
	}
	return plain
}
