package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func storagePolicies() []Policy {
	return []Policy{{
		Name: "volume-source",
		Description: "PersistentVolumes come from a storage driver, not from a path of a node or a server that anybody " +
			"may name.",
		Limits: []Limit{{
			Name: "sources", Description: "Fields of a PersistentVolume's spec that may be its source.",
			Default: []string{"csi"},
		}},
		Resource: volumeSource,
	}}
}

// volumeFields are the fields of a PersistentVolume's spec that are no source.
var volumeFields = []string{"accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity",
	"persistentVolumeReclaimPolicy", "storageClassName", "volumeAttributesClassName", "volumeMode"}

func volumeSource(r Resource, limits Limits) []string {
	if r.kind() != "PersistentVolume" {
		return nil
	}
	allowed := limits.words("sources")
	var messages []string
	entries(r.at("spec"), func(field string, value property.Value) {
		if missing(value) || slices.Contains(volumeFields, field) || slices.Contains(allowed, field) {
			return
		}
		messages = append(messages, fmt.Sprintf("PersistentVolume %s is a %s, which a pod reaches through a claim past the "+
			"pods' own rules; use a StorageClass, or add the field to `sources` of volume-source in the pack's configuration "+
			"(now %s)", r.name(), field, strings.Join(allowed, ", ")))
	})
	return messages
}
