package components

// referring is a copy of a pod template that refers to the objects of its release, wherever it names one: in a
// variable, in a source of variables, or in a volume.
func referring(value any, objects map[string]string) any {
	switch value := value.(type) {
	case object:
		copied := make(object, len(value))
		for key, inner := range value {
			copied[key] = referring(inner, objects)
			if reference, ok := copied[key].(object); ok && references[key] {
				rename(reference, objects)
			}
		}
		return copied
	case list:
		copied := make(list, len(value))
		for i, item := range value {
			copied[i] = referring(item, objects)
		}
		return copied
	default:
		return value
	}
}

// references are the fields of a pod that refer to a Secret or a ConfigMap.
var references = map[string]bool{
	"secretKeyRef": true, "secretRef": true, "secret": true,
	"configMapKeyRef": true, "configMapRef": true, "configMap": true,
}

// rename puts the name of the release's object into a reference.
func rename(reference object, objects map[string]string) {
	for _, field := range []string{"name", "secretName"} {
		name, _ := reference[field].(string)
		if renamed := objects[name]; renamed != "" {
			reference[field] = renamed
		}
	}
}
