package takeover

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vextrus/finance-rollout/internal/names"
)

// object and list are JSON as data.
type (
	object = map[string]any
	list   = []any
)

// Values are settings by their keys: texts, numbers, and JSON as data.
type Values map[string]any

// description is what the settings say of a workload, while it is made.
type description struct {
	app       string
	service   *corev1.Service
	workload  *Workload
	pods      []corev1.Pod
	container corev1.Container
	values    Values
	// rest and spec are what remains of the container and of the pods for the overlay.
	rest, spec object
	notes      []string
}

func (d *description) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

// describe makes the settings of a stable track that runs as a workload does. The notes say what they leave out.
func describe(app string, live *Live) (values Values, notes []string, err error) {
	workload := live.main()
	container, port, err := served(live.Service, workload.Template.Spec.Containers)
	if err != nil {
		return nil, nil, err
	}
	d := &description{app: app, service: live.Service, workload: workload, pods: live.Pods, container: container,
		values: Values{}}
	if d.spec, err = asObject(workload.Template.Spec); err != nil {
		return nil, nil, err
	}
	if d.rest, err = asObject(container); err != nil {
		return nil, nil, err
	}
	d.values["replicas"] = live.replicas()
	d.values["canaryWeight"] = 0
	d.values["containerPort"] = port
	d.values["stableImage"] = d.image()
	d.serviceSettings()
	d.environment()
	d.resources()
	d.probes(port)
	d.shutdown()
	d.commandLine()
	d.user()
	d.strategy()
	d.annotations()
	d.overlay(port)
	return d.values, d.notes, nil
}

// served is the container that answers the Service's requests, and its port.
func served(service *corev1.Service, containers []corev1.Container) (corev1.Container, int, error) {
	if len(service.Spec.Ports) == 0 || len(containers) == 0 {
		return corev1.Container{}, 0, fmt.Errorf("service %s has no port, or its pods no container", service.Name)
	}
	target := service.Spec.Ports[0].TargetPort
	for _, container := range containers {
		for _, port := range container.Ports {
			if target.Type == intstr.String && port.Name == target.StrVal ||
				target.Type == intstr.Int && port.ContainerPort == target.IntVal {
				return container, int(port.ContainerPort), nil
			}
		}
	}
	if target.Type == intstr.Int && target.IntVal > 0 {
		return containers[0], int(target.IntVal), nil
	}
	if target.Type == intstr.Int && target.IntVal == 0 && service.Spec.Ports[0].Port > 0 {
		return containers[0], int(service.Spec.Ports[0].Port), nil
	}
	return corev1.Container{}, 0, fmt.Errorf("service %s leads to the port %s, which no container has", service.Name,
		target.String())
}

// image is the image by the digest that the pods run: a tag may name another one by now.
func (d *description) image() string {
	given := d.container.Image
	if strings.Contains(given, "@") {
		return given
	}
	digests := map[string]bool{}
	for _, pod := range d.pods {
		for _, status := range pod.Status.ContainerStatuses {
			_, digest, known := strings.Cut(status.ImageID, "@")
			if known && status.Name == d.container.Name && status.Image != "" && sameRepository(status.ImageID, given) {
				digests[digest] = true
			}
		}
	}
	if len(digests) != 1 {
		d.note("the pods do not tell one digest of %s: the registry says which image the tag names now", given)
		return given
	}
	return names.Repository(given) + "@" + slices.Collect(maps.Keys(digests))[0]
}

// sameRepository compares the end of two names: a runtime completes the one it was given.
func sameRepository(imageID, image string) bool {
	return strings.HasSuffix("/"+names.Repository(imageID), "/"+names.Repository(image))
}

func (d *description) serviceSettings() {
	spec, port := d.service.Spec, d.service.Spec.Ports[0]
	service := object{"port": int(port.Port), "type": string(spec.Type)}
	if spec.Type == "" {
		service["type"] = string(corev1.ServiceTypeClusterIP)
	}
	if port.NodePort != 0 {
		service["nodePort"] = int(port.NodePort)
	}
	if spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		service["sessionAffinity"] = true
	}
	d.values["service"] = service
	if d.service.Name != d.app {
		d.values["serviceName"] = d.service.Name
	}
	for _, further := range spec.Ports[1:] {
		d.note("the Service's port %s %d stays as it is, and leads to the pods' port %s", further.Name, further.Port,
			further.TargetPort.String())
	}
}

// environment splits the variables by where they come from. The defaults of the keys are a service's own, and must not
// be added to it.
func (d *description) environment() {
	plain, existing, rest := object{}, object{}, list{}
	for _, variable := range d.container.Env {
		switch from := variable.ValueFrom; {
		case from == nil:
			plain[variable.Name] = variable.Value
		case from.SecretKeyRef != nil && (from.SecretKeyRef.Optional == nil || !*from.SecretKeyRef.Optional):
			existing[variable.Name] = from.SecretKeyRef.Name + "/" + from.SecretKeyRef.Key
		default:
			if value, err := asObject(variable); err == nil {
				rest = append(rest, value)
			}
		}
	}
	d.values["env"], d.values["secretEnv"], d.values["configEnv"] = plain, object{}, object{}
	d.values["existingSecretEnv"] = existing
	var sources, restFrom list
	for _, source := range d.container.EnvFrom {
		entry := object{}
		switch {
		case source.SecretRef != nil && source.SecretRef.Optional == nil:
			entry["secretRef"] = source.SecretRef.Name
		case source.ConfigMapRef != nil && source.ConfigMapRef.Optional == nil:
			entry["configMapRef"] = source.ConfigMapRef.Name
		default:
			if value, err := asObject(source); err == nil {
				restFrom = append(restFrom, value)
			}
			continue
		}
		if source.Prefix != "" {
			entry["prefix"] = source.Prefix
		}
		sources = append(sources, entry)
	}
	if len(sources) > 0 {
		d.values["envFrom"] = sources
	}
	d.leave("env", rest)
	d.leave("envFrom", restFrom)
}

// leave keeps a list of the container for the overlay, or takes it out.
func (d *description) leave(key string, rest list) {
	delete(d.rest, key)
	if len(rest) > 0 {
		d.rest[key] = rest
	}
}

func (d *description) resources() {
	delete(d.rest, "resources")
	quantity := func(from corev1.ResourceList, name corev1.ResourceName) string {
		if amount, given := from[name]; given {
			return amount.String()
		}
		return ""
	}
	given := d.container.Resources
	requests := object{"cpu": quantity(given.Requests, corev1.ResourceCPU), "memory": quantity(given.Requests,
		corev1.ResourceMemory)}
	limits := object{"cpu": quantity(given.Limits, corev1.ResourceCPU), "memory": quantity(given.Limits,
		corev1.ResourceMemory)}
	for name := range requests {
		if requests[name] == "" {
			requests[name] = limits[name]
		}
	}
	if limits["memory"] == "" {
		limits["memory"] = requests["memory"]
	}
	for key, amounts := range map[string]object{"requests": requests, "limits": limits} {
		for name, amount := range amounts {
			if amount == "" && (key != "limits" || name != "cpu") {
				d.note("the container has no resources.%s.%s: the stack's counts", key, name)
				delete(amounts, name)
			}
		}
	}
	d.values["resources"] = object{"requests": requests, "limits": limits}
}

func (d *description) commandLine() {
	for key, words := range map[string][]string{"command": d.container.Command, "args": d.container.Args} {
		delete(d.rest, key)
		if len(words) > 0 {
			texts := list{}
			for _, word := range words {
				texts = append(texts, word)
			}
			d.values[key] = texts
		}
	}
}

// user is who the processes run as, by the pods' specification or by what the kubelet reports.
func (d *description) user() {
	user := object{}
	if context := d.workload.Template.Spec.SecurityContext; context != nil {
		setNumber(user, "runAsUser", context.RunAsUser)
		setNumber(user, "runAsGroup", context.RunAsGroup)
		setNumber(user, "fsGroup", context.FSGroup)
	}
	if context := d.container.SecurityContext; context != nil {
		setNumber(user, "runAsUser", context.RunAsUser)
		setNumber(user, "runAsGroup", context.RunAsGroup)
	}
	for _, pod := range d.pods {
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name != d.container.Name || status.User == nil || status.User.Linux == nil || user["runAsUser"] != nil {
				continue
			}
			user["runAsUser"], user["runAsGroup"] = status.User.Linux.UID, status.User.Linux.GID
		}
	}
	switch user["runAsUser"] {
	case nil:
		d.note("the pods do not say who they run as: set user.runAsUser to the image's user, or they run as the stack's")
	case int64(0):
		delete(user, "runAsUser")
		delete(user, "runAsGroup")
		d.note("the pods run as root, which the namespace will not admit: set user.runAsUser to a user that runs the image")
	}
	if len(user) > 0 {
		d.values["user"] = user
	}
	for _, context := range []any{d.rest["securityContext"], d.spec["securityContext"]} {
		if fields, ok := context.(object); ok {
			for _, key := range []string{"runAsUser", "runAsGroup", "fsGroup"} {
				delete(fields, key)
			}
		}
	}
}

func setNumber(into object, key string, value *int64) {
	if value != nil {
		into[key] = *value
	}
}

func (d *description) strategy() {
	given := d.workload.Strategy
	if given.MaxSurge == "" || given.MaxSurge == "0" {
		return
	}
	d.values["rollingUpdate"] = object{"maxSurge": given.MaxSurge, "maxUnavailable": given.MaxUnavailable}
}

// annotations are those that belong to the pods, and not to what restarted or injected them.
func (d *description) annotations() {
	kept := object{}
	for key, value := range d.workload.Template.Annotations {
		if !strings.HasPrefix(key, "kubectl.kubernetes.io/") && !strings.HasPrefix(key, names.Prefix) {
			kept[key] = value
		}
	}
	if len(kept) > 0 {
		d.values["podAnnotations"] = kept
	}
}

// asObject is a value as JSON data, whose whole numbers are int64.
func asObject(value any) (object, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the pods: %w", err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(encoded)))
	read := object{}
	if err := decoder.Decode(&read); err != nil {
		return nil, fmt.Errorf("read the pods: %w", err)
	}
	return read, nil
}
