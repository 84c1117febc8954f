package settings

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
)

// EnvSource is a Secret or a ConfigMap that somebody else makes in the namespace. Each of its keys becomes a variable,
// with the prefix in front. One of the two names is set.
type EnvSource struct {
	SecretRef    string `json:"secretRef,omitempty"`
	ConfigMapRef string `json:"configMapRef,omitempty"`
	Prefix       string `json:"prefix,omitempty"`
}

// validateExisting checks the references to what the stack does not make. Whether it exists is the cluster's to say.
func (s *Settings) validateExisting(errs *problems) {
	for _, name := range slices.Sorted(maps.Keys(s.ExistingEnv)) {
		ref, key := s.ExistingEnv[name], "existingSecretEnv."+name
		if ref == (SecretRef{}) {
			continue
		}
		if messages := validation.IsDNS1123Subdomain(ref.Secret); len(messages) > 0 {
			errs.add(key, ref.String(), errs.setPath(key, "NAME/KEY"), "no name of a Secret: %s", messages[0])
		}
		if messages := validation.IsConfigMapKey(ref.Key); len(messages) > 0 {
			errs.add(key, ref.String(), errs.setPath(key, "NAME/KEY"), "no key of a Secret: %s", messages[0])
		}
		if s.SecretEnv[name] != (SecretRef{}) {
			errs.add(key, ref.String(), errs.setPath("secretEnv."+name, "'\"\"'"),
				"secretEnv sets the variable too, from %s", s.SecretEnv[name])
		}
	}
	for i, source := range s.EnvFrom {
		key := fmt.Sprintf("envFrom[%d]", i)
		if (source.SecretRef == "") == (source.ConfigMapRef == "") {
			errs.add(key, fmt.Sprintf("%+v", source), errs.setPath(key+".secretRef", "NAME"),
				"one of secretRef and configMapRef is needed, with the name of what exists in the namespace")
			continue
		}
		if messages := validation.IsDNS1123Subdomain(source.SecretRef + source.ConfigMapRef); len(messages) > 0 {
			errs.add(key, source.SecretRef+source.ConfigMapRef, errs.setPath(key+".secretRef", "NAME"),
				"no name of a Secret or ConfigMap: %s", messages[0])
		}
	}
}
