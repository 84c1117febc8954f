package components

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/overlay"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// object and list are JSON as data: what an overlay can be laid on, before it becomes an input of the engine. Numbers
// are int64, as the library that merges wants them.
type (
	object = map[string]any
	list   = []any
)

// imageOfRelease stands in the template for the image, which the engine may not know yet.
const imageOfRelease = "the image of the release"

// podTemplate is the template of the pods with the overlays on it. What the engine computes is put in last, as inputs
// of their own: a preview that does not know the image yet knows the rest of the template all the same.
func (a *TrackArgs) podTemplate() (object, error) {
	template, err := overlay.Lay(a.plainTemplate(), a.App.Name, a.Pod.Overlays...)
	if err != nil {
		return nil, err
	}
	template = referring(template, a.Objects).(object)
	spec := template["spec"].(object)
	for _, item := range spec["containers"].(list) {
		if container := item.(object); container["name"] == a.App.Name {
			container["image"] = a.Image.ToStringOutput()
		}
	}
	if _, given := spec["serviceAccountName"]; !given {
		spec["serviceAccountName"] = a.ServiceAccount.ToStringOutput()
	}
	return template, nil
}

func (a *TrackArgs) plainTemplate() object {
	annotations := textsOf(a.Pod.Annotations)
	annotations[names.Checksum] = a.Checksum
	if a.Identity != "" {
		annotations[names.Identity] = a.Identity
	}
	user := cmp.Or(a.Pod.User, settings.DefaultUser())
	spec := object{
		"automountServiceAccountToken":  false,
		"enableServiceLinks":            false,
		"terminationGracePeriodSeconds": int64(a.Pod.Shutdown.Grace),
		"securityContext": object{
			"runAsNonRoot":   true,
			"runAsUser":      int64(user.RunAsUser),
			"runAsGroup":     int64(user.RunAsGroup),
			"fsGroup":        int64(user.FSGroup),
			"seccompProfile": object{"type": "RuntimeDefault"},
		},
		"volumes":    a.volumes(),
		"containers": list{a.container()},
	}
	if len(a.Pod.SpreadAcross) > 0 {
		spec["topologySpreadConstraints"] = a.spread()
	}
	return object{"metadata": object{"labels": textsOf(a.podLabels()), "annotations": annotations}, "spec": spec}
}

func (a *TrackArgs) spread() list {
	var constraints list
	for _, key := range a.Pod.SpreadAcross {
		constraints = append(constraints, object{
			"maxSkew":           int64(1),
			"topologyKey":       key,
			"whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector":     object{"matchLabels": textsOf(a.selector())},
		})
	}
	return constraints
}

// volumes are the folders that may be written: /tmp, and those that the service writes to. None holds more than the
// size, which keeps a pod from filling its node.
func (a *TrackArgs) volumes() list {
	size := string(cmp.Or(a.Pod.TmpSize, settings.DefaultTmpSize))
	volume := func(name string) object {
		return object{"name": name, "emptyDir": object{"sizeLimit": size}}
	}
	volumes := list{volume(settings.TmpVolume)}
	for i := range a.Pod.Writable {
		volumes = append(volumes, volume(settings.WritableVolume(i)))
	}
	return volumes
}

func (a *TrackArgs) volumeMounts() list {
	mounts := list{object{"name": settings.TmpVolume, "mountPath": "/tmp"}}
	for i, folder := range a.Pod.Writable {
		mounts = append(mounts, object{"name": settings.WritableVolume(i), "mountPath": folder})
	}
	return mounts
}

func (a *TrackArgs) container() object {
	container := object{
		"name":  a.App.Name,
		"image": imageOfRelease,
		"ports": list{object{"name": PortName, "containerPort": int64(a.Port), "protocol": "TCP"}},
		"resources": object{
			"requests": quantities(a.Pod.Resources.Requests), "limits": quantities(a.Pod.Resources.Limits),
		},
		"livenessProbe":  probe(a.Pod.Probes.Liveness),
		"readinessProbe": probe(a.Pod.Probes.Readiness),
		"lifecycle":      object{"preStop": object{"sleep": object{"seconds": int64(a.Pod.Shutdown.PreStop)}}},
		"securityContext": object{
			"allowPrivilegeEscalation": false,
			"readOnlyRootFilesystem":   true,
			"capabilities":             object{"drop": list{"ALL"}},
		},
		"volumeMounts": a.volumeMounts(),
	}
	if variables := a.environment(); len(variables) > 0 {
		container["env"] = variables
	}
	if len(a.Pod.Command) > 0 {
		container["command"] = words(a.Pod.Command)
	}
	if len(a.Pod.Args) > 0 {
		container["args"] = words(a.Pod.Args)
	}
	if a.Pod.Probes.Startup.FailureThreshold > 0 {
		container["startupProbe"] = probe(a.Pod.Probes.Startup)
	}
	if sources := a.environmentFrom(); len(sources) > 0 {
		container["envFrom"] = sources
	}
	return container
}

// environmentFrom lists what gives a variable for each of its keys. The last one counts where two have the same key.
func (a *TrackArgs) environmentFrom() list {
	var sources list
	if a.Pod.ConfigMap != "" {
		sources = append(sources, object{"configMapRef": object{"name": a.Pod.ConfigMap}})
	}
	for _, existing := range a.Pod.EnvFrom {
		kind, name := "secretRef", existing.SecretRef
		if name == "" {
			kind, name = "configMapRef", existing.ConfigMapRef
		}
		source := object{kind: object{"name": name}}
		if existing.Prefix != "" {
			source["prefix"] = existing.Prefix
		}
		sources = append(sources, source)
	}
	return sources
}

// environment lists the variables in the order of their names, so that a preview shows a change and nothing else.
func (a *TrackArgs) environment() list {
	values := maps.Clone(a.Pod.Env)
	if values == nil {
		values = map[string]string{}
	}
	if a.Track == names.Canary {
		values["DEPLOYMENT_TRACK"] = a.Track
		values["DEPLOYMENT_VERSION"] = a.Version
	}
	var variables list
	for _, name := range slices.Sorted(maps.Keys(values)) {
		variables = append(variables, object{"name": name, "value": values[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Pod.SecretEnv)) {
		ref := a.Pod.SecretEnv[name]
		variables = append(variables, object{
			"name": name, "valueFrom": object{"secretKeyRef": object{"name": ref.Secret, "key": ref.Key}},
		})
	}
	return variables
}

// quantities leaves out an amount that is not limited.
func quantities(q settings.Quantities) object {
	amounts := object{}
	for name, quantity := range map[string]settings.Quantity{"cpu": q.CPU, "memory": q.Memory} {
		if quantity != "" {
			amounts[name] = string(quantity)
		}
	}
	return amounts
}

func probe(p settings.Probe) object {
	return object{
		"httpGet":             object{"path": p.Path, "port": PortName},
		"initialDelaySeconds": int64(p.InitialDelay),
		"periodSeconds":       int64(p.Period),
		"timeoutSeconds":      int64(p.Timeout),
		"failureThreshold":    int64(p.FailureThreshold),
	}
}

// replacement is an amount of pods as Kubernetes takes it: a number, or a text with a percentage.
func replacement(amount settings.Amount) any {
	if number, err := strconv.Atoi(strings.TrimSpace(string(amount))); err == nil {
		return int64(number)
	}
	return string(amount)
}

func words(texts []string) list {
	var items list
	for _, text := range texts {
		items = append(items, text)
	}
	return items
}

func textsOf(texts map[string]string) object {
	values := object{}
	for key, text := range texts {
		values[key] = text
	}
	return values
}
