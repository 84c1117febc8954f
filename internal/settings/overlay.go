package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/overlay"
)

// Overlays are the patches of a track's pods, in their order: that of both tracks, then the track's.
func (s *Settings) Overlays(track string) []Overlay {
	var given []Overlay
	for _, patch := range []Overlay{s.Pod, s.trackOverride(track).Pod} {
		if len(patch) > 0 {
			given = append(given, patch)
		}
	}
	return given
}

func (s *Settings) trackOverride(track string) TrackOverride {
	if track == names.Canary {
		return s.Canary
	}
	return s.Stable
}

// HasFurtherContainers reports whether an overlay brings containers beside the service's own.
func (s *Settings) HasFurtherContainers() bool {
	return slices.ContainsFunc([]Overlay{s.Pod, s.Stable.Pod, s.Canary.Pod},
		func(patch Overlay) bool { return patch.AddsContainers(s.App) })
}

// Pods are the pods of a track as far as the settings tell: what the service's container asks for, and what the
// overlays add to it.
func (s *Settings) Pods(track string) (*corev1.PodSpec, error) {
	requests := s.Resources.Requests
	if override := s.trackOverride(track).Resources; override != nil {
		requests = override.Requests
	}
	pod := s.skeleton(track)
	pod.Requests = map[string]string{"cpu": string(requests.CPU), "memory": string(requests.Memory)}
	template, err := overlay.Lay(pod.Template(), s.App, s.Overlays(track)...)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(template)
	if err != nil {
		return nil, fmt.Errorf("encode the pods: %w", err)
	}
	pods := corev1.PodTemplateSpec{}
	if err := json.Unmarshal(encoded, &pods); err != nil {
		return nil, fmt.Errorf("read the pods: %w", err)
	}
	return &pods.Spec, nil
}

// refuseEncrypted keeps encrypted values out of overlays: a Deployment shows its template to everybody who may read it.
func (s *Settings) refuseEncrypted(source Source, ok *problems) {
	for key, patch := range map[string]Overlay{"pod": s.Pod, "stable": s.Stable.Pod, "canary": s.Canary.Pod} {
		if len(patch) > 0 && source.IsSecret(key) {
			ok.add(key, "", ok.setSecret("secrets.NAME.KEY"),
				"it holds an encrypted value, which would stand in plain text in the Deployment; "+
					"keep it under secrets, and refer to it by secretEnv or secretKeyRef")
		}
	}
}

// validateOverlays lays the overlays on pods that hold what the rollout needs of them, and refuses what an overlay
// would take away.
func (s *Settings) validateOverlays(ok *problems) {
	for _, track := range []string{names.Stable, names.Canary} {
		template := ok.lay("pod", s.skeleton(track).Template(), s.App, s.Pod)
		if template == nil {
			return
		}
		ok.lay(track+".pod", template, s.App, s.trackOverride(track).Pod)
	}
}

// skeleton is what an overlay must leave of a track's pods, and what it may refer to.
func (s *Settings) skeleton(track string) overlay.Skeleton {
	version := s.StableLabel
	if track == names.Canary || s.IsSingle() {
		version = s.Release
	}
	volumes := []string{TmpVolume}
	for i := range s.Writable {
		volumes = append(volumes, WritableVolume(i))
	}
	return overlay.Skeleton{
		Service: s.App, Port: int(s.Container), Volumes: volumes, HasStartup: s.Probes.Startup.FailureThreshold > 0,
		Labels: map[string]string{
			names.App: s.App, names.Environment: s.Environment, names.ManagedBy: names.Program, names.Track: track,
			names.Version: version, names.Traffic: names.Enabled,
		},
		Annotations: map[string]string{names.Checksum: "made of the secrets and the configuration"},
	}
}

// lay lays the patch of a key on a template; nil where it is refused.
func (p *problems) lay(key string, template overlay.Template, service string, patch Overlay) overlay.Template {
	if len(patch) == 0 {
		return template
	}
	merged, err := overlay.Apply(template, service, patch)
	if err != nil {
		p.add(key, "", p.remove(key), "%s", err)
		return nil
	}
	refusals := overlay.Refusals(template, merged, service)
	for _, refusal := range refusals {
		at, whole := locate(patch, refusal.Path)
		about := ""
		if !whole {
			about = "it decides about " + strings.Join(refusal.Path, ".") + ": "
		}
		p.add(key+at, refusal.Given, p.remove(key+at), "%s%s", about, refusal.Problem)
	}
	if len(refusals) > 0 {
		return nil
	}
	return merged
}

// locate gives the place in a patch that decides about a field of the template, as a path of the configuration: the
// deepest one on the way to it. whole reports whether that is the field itself.
func locate(patch Overlay, way []string) (path string, whole bool) {
	var at any = map[string]any(patch)
	for _, step := range way {
		inner, ok := any(nil), false
		switch holder := at.(type) {
		case map[string]any:
			inner, ok = holder[step]
			step = field(step)
		case []any:
			if i := elementNamed(holder, step); i >= 0 {
				inner, ok, step = holder[i], true, fmt.Sprintf("[%d]", i)
			}
		}
		if !ok {
			return path, false
		}
		path += step
		at = inner
	}
	return path, true
}

func elementNamed(items []any, name string) int {
	for i, item := range items {
		if element, ok := item.(map[string]any); ok && element["name"] == name {
			return i
		}
	}
	return -1
}

// field is a step of a path of the configuration.
func field(name string) string {
	if strings.ContainsAny(name, `./[]"`) {
		return `["` + name + `"]`
	}
	return "." + name
}
