package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// reference is a container's reference to a Secret or ConfigMap.
type reference struct {
	secret    bool
	name, key string // an empty key means the whole object
	by        string // the part of the pod that refers to it
}

// References returns the names of the Secrets and ConfigMaps that a pod needs.
func References(spec corev1.PodSpec) (secrets, configMaps []string) {
	for _, ref := range referencesOf(spec) {
		if ref.secret {
			secrets = append(secrets, ref.name)
		} else {
			configMaps = append(configMaps, ref.name)
		}
	}
	return unique(secrets), unique(configMaps)
}

// referencesOf lists the references of the containers' environment and the volumes, without the optional ones.
func referencesOf(spec corev1.PodSpec) []reference {
	var refs []reference
	needs := func(optional *bool, secret bool, name, key, by string) {
		if optional == nil || !*optional {
			refs = append(refs, reference{secret, name, key, by})
		}
	}
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, variable := range container.Env {
			if from := variable.ValueFrom; from != nil && from.SecretKeyRef != nil {
				needs(from.SecretKeyRef.Optional, true, from.SecretKeyRef.Name, from.SecretKeyRef.Key, "variable "+variable.Name)
			} else if from != nil && from.ConfigMapKeyRef != nil {
				needs(from.ConfigMapKeyRef.Optional, false, from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key,
					"variable "+variable.Name)
			}
		}
		for _, from := range container.EnvFrom {
			if from.SecretRef != nil {
				needs(from.SecretRef.Optional, true, from.SecretRef.Name, "", "the environment of "+container.Name)
			} else if from.ConfigMapRef != nil {
				needs(from.ConfigMapRef.Optional, false, from.ConfigMapRef.Name, "", "the environment of "+container.Name)
			}
		}
	}
	for _, volume := range spec.Volumes {
		if volume.Secret != nil {
			needs(volume.Secret.Optional, true, volume.Secret.SecretName, "", "volume "+volume.Name)
		} else if volume.ConfigMap != nil {
			needs(volume.ConfigMap.Optional, false, volume.ConfigMap.Name, "", "volume "+volume.Name)
		}
	}
	return refs
}

// references reports missing Secrets, ConfigMaps and keys: from the objects themselves or, where reading them is not
// allowed, from the kubelet's messages. It ignores pods that started before the object disappeared: they would not
// start again, but that is not the present problem.
func references(s Snapshot, w Workload) []Finding {
	var findings []Finding
	for i := range w.Pods {
		pod := &w.Pods[i]
		message := blocked(s, pod)
		if message == "" {
			continue
		}
		for _, ref := range referencesOf(pod.Spec) {
			if finding, broken := ref.check(s); broken {
				finding.Pods, finding.Evidence = []string{pod.Name}, append(finding.Evidence, short(message))
				findings = append(findings, finding)
			}
		}
		if finding := fromKubelet(s, message); !slices.ContainsFunc(findings,
			func(f Finding) bool { return slices.Contains(f.Pods, pod.Name) }) {
			finding.Pods, finding.Evidence = []string{pod.Name}, []string{short(message)}
			findings = append(findings, finding)
		}
	}
	return findings
}

// blocked returns the kubelet's message about a pod whose containers it cannot create, empty for any other pod.
func blocked(s Snapshot, pod *Pod) string {
	for _, status := range statuses(pod) {
		waiting := status.State.Waiting
		switch {
		case waiting == nil:
		case waiting.Reason == "CreateContainerConfigError":
			return fmt.Sprintf("container %s: %s: %s", status.Name, waiting.Reason, waiting.Message)
		case waiting.Reason == "ContainerCreating" || waiting.Reason == "PodInitializing":
			if mounts := eventsOf(s, pod.Name, "FailedMount"); len(mounts) > 0 {
				return "event FailedMount: " + mounts[len(mounts)-1].Message
			}
		}
	}
	return ""
}

// check looks up a reference. It reports nothing if the object could not be read.
func (r reference) check(s Snapshot) (Finding, bool) {
	kind, cause, keyCause, objects := "ConfigMap", CauseConfigMap, CauseConfigMapKey, s.ConfigMaps
	if r.secret {
		kind, cause, keyCause, objects = "Secret", CauseSecret, CauseSecretKey, s.Secrets
	}
	keys, known := objects[r.name]
	switch {
	case !known:
		return Finding{}, false
	case keys == nil:
		return Finding{
			Cause: cause, Summary: fmt.Sprintf("%s %s does not exist", kind, r.name),
			Evidence: []string{fmt.Sprintf("%s needs it", r.by)}, Next: r.resolve(s),
		}, true
	case r.key != "" && !slices.Contains(keys, r.key):
		return Finding{
			Cause: keyCause, Summary: fmt.Sprintf("%s %s has no key %s", kind, r.name, r.key),
			Evidence: []string{fmt.Sprintf("%s needs it; the keys are %s", r.by, list(keys))}, Next: r.resolve(s),
		}, true
	default:
		return Finding{}, false
	}
}

// resolve returns the commands that inspect the object without showing its values, and those that restore it.
func (r reference) resolve(s Snapshot) []string {
	if !r.secret {
		return []string{fmt.Sprintf("kubectl describe configmap %s -n %s", r.name, s.Namespace), "pulumi up --refresh -s " +
			s.Stack}
	}
	key := r.key
	if key == "" {
		key = "KEY"
	}
	return []string{
		fmt.Sprintf("kubectl describe secret %s -n %s", r.name, s.Namespace),
		fmt.Sprintf("pulumi config set --secret --path secrets.%s.%s -s %s", strings.TrimSuffix(r.name, "-"+s.Environment),
			key, s.Stack),
		"pulumi up --refresh -s " + s.Stack,
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// The kubelet's messages about a missing object or key.
var (
	objectMissing = regexp.MustCompile(`(?i)\b(secret|configmap) "([^"]+)" not found`)
	keyMissing    = regexp.MustCompile(`couldn't find key (\S+) in (Secret|ConfigMap) [^/\s]+/(\S+)`)
)

// fromKubelet derives a finding from the kubelet's message, for users without permission to read Secrets.
func fromKubelet(s Snapshot, message string) Finding {
	if match := keyMissing.FindStringSubmatch(message); match != nil {
		ref := reference{secret: match[2] == "Secret", name: match[3], key: match[1]}
		cause := CauseConfigMapKey
		if ref.secret {
			cause = CauseSecretKey
		}
		return Finding{Cause: cause, Summary: fmt.Sprintf("%s %s has no key %s", match[2], ref.name, ref.key),
			Next: ref.resolve(s)}
	}
	if match := objectMissing.FindStringSubmatch(message); match != nil {
		ref := reference{secret: strings.EqualFold(match[1], "secret"), name: match[2]}
		kind, cause := "ConfigMap", CauseConfigMap
		if ref.secret {
			kind, cause = "Secret", CauseSecret
		}
		return Finding{Cause: cause, Summary: fmt.Sprintf("%s %s does not exist", kind, ref.name), Next: ref.resolve(s)}
	}
	if strings.HasPrefix(message, "event FailedMount") {
		return Finding{Cause: CauseVolume, Summary: "a volume cannot be mounted",
			Next: []string{"kubectl get events -n " + s.Namespace + " --field-selector reason=FailedMount"}}
	}
	return Finding{Cause: CauseContainer, Summary: "its container cannot be created",
		Next: []string{"kubectl get events -n " + s.Namespace}}
}
