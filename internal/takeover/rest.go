package takeover

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/names"
)

// overlay keeps what the settings have no key for: it is laid on the pods as it stands in the workload.
func (d *description) overlay(port int) {
	d.ports(port)
	d.rootFilesystem()
	for _, key := range []string{"image", "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy"} {
		delete(d.rest, key)
	}
	dropEmpty(d.rest)
	var containers list
	if name := d.rest["name"]; len(d.rest) > 1 && name != nil {
		d.rest["name"] = d.app
		containers = append(containers, d.rest)
	}
	for _, container := range d.workload.Template.Spec.Containers {
		if container.Name == d.container.Name {
			continue
		}
		if further, err := asObject(container); err == nil {
			dropEmpty(further)
			containers = append(containers, further)
		}
	}
	for _, key := range []string{"restartPolicy", "terminationGracePeriodSeconds", "schedulerName", "serviceAccount",
		"containers"} {
		delete(d.spec, key)
	}
	if d.spec["dnsPolicy"] == string(corev1.DNSClusterFirst) {
		delete(d.spec, "dnsPolicy")
	}
	d.account()
	dropEmpty(d.spec)
	if len(containers) > 0 {
		d.spec["containers"] = containers
	}
	overlay := object{}
	if len(d.spec) > 0 {
		overlay["spec"] = d.spec
	}
	if labels := d.labels(); len(labels) > 0 {
		overlay["metadata"] = object{"labels": labels}
	}
	if len(overlay) > 0 {
		d.values["pod"] = overlay
	}
}

// ports are those beside the service's own, which the rollout names itself.
func (d *description) ports(served int) {
	var rest list
	for _, port := range d.container.Ports {
		if int(port.ContainerPort) == served {
			continue
		}
		if port.Name == names.Port {
			d.note("the container's port %d is called %s, as the service's own is in a rollout: it loses its name",
				port.ContainerPort, names.Port)
			port.Name = ""
		}
		if value, err := asObject(port); err == nil {
			rest = append(rest, value)
		}
	}
	d.leave("ports", rest)
}

// rootFilesystem stays writable where it is: a service that writes beside its volumes would not start.
func (d *description) rootFilesystem() {
	context := d.container.SecurityContext
	fields, _ := d.rest["securityContext"].(object)
	if context != nil && context.ReadOnlyRootFilesystem != nil && *context.ReadOnlyRootFilesystem {
		delete(fields, "readOnlyRootFilesystem")
		return
	}
	if fields == nil {
		fields = object{}
		d.rest["securityContext"] = fields
	}
	fields["readOnlyRootFilesystem"] = false
	d.note("the container may write to its root filesystem, and goes on doing so: name the folders under writable, and " +
		"take readOnlyRootFilesystem out of pod, when you know them")
}

// account keeps a service account of the pods' own, with its token where they had one.
func (d *description) account() {
	template := d.workload.Template.Spec
	if template.ServiceAccountName == "" || template.ServiceAccountName == "default" {
		delete(d.spec, "serviceAccountName")
		delete(d.spec, "automountServiceAccountToken")
		return
	}
	if template.AutomountServiceAccountToken == nil {
		d.spec["automountServiceAccountToken"] = true
	}
}

// labels are those of the pods that the rollout does not set and that belong to no controller.
func (d *description) labels() object {
	ours := []string{names.App, names.Track, names.Version, names.Traffic, names.Environment, names.ManagedBy,
		"pod-template-hash", rolloutsTemplate}
	kept := object{}
	for key, value := range d.workload.Template.Labels {
		if !slices.Contains(ours, key) {
			kept[key] = value
		}
	}
	return kept
}

// dropEmpty takes empty objects out, and what the API server writes as null.
func dropEmpty(fields object) {
	for key, value := range fields {
		inner, isObject := value.(object)
		if value == nil || isObject && len(inner) == 0 && (key == "securityContext" || key == "resources") {
			delete(fields, key)
		}
	}
}
