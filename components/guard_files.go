package components

import (
	"maps"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// sources are the files of the guard's pods.
func (a *GuardArgs) sources(app App) corev1.VolumeProjectionArray {
	var sources corev1.VolumeProjectionArray
	file := func(ref settings.SecretRef, path string) {
		sources = append(sources, corev1.VolumeProjectionArgs{Secret: corev1.SecretProjectionArgs{
			Name:  pulumi.String(ref.Secret),
			Items: corev1.KeyToPathArray{corev1.KeyToPathArgs{Key: pulumi.String(ref.Key), Path: pulumi.String(path)}},
		}})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Files)) {
		file(a.Files[name], name)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Logins)) {
		file(settings.SecretRef{Secret: loginsName(app), Key: name}, name)
	}
	for _, name := range slices.Sorted(maps.Keys(a.OwnLogins)) {
		file(settings.SecretRef{Secret: loginsName(app), Key: ownLogin(name)}, guardOwnLogins+"/"+name)
	}
	for _, name := range slices.Sorted(maps.Keys(a.NotifyKeys)) {
		file(a.NotifyKeys[name], guardKeys+"/"+name)
	}
	if a.Certificate != "" {
		for _, key := range []string{keyCertificate, keyPrivate} {
			file(settings.SecretRef{Secret: a.Certificate, Key: key}, guardTLS+"/"+key)
		}
	}
	for _, trusted := range [][2]string{{guardAuthorities, a.Authorities}, {guardScrapeCA, a.ScrapeCA}} {
		name, key, ok := strings.Cut(trusted[1], "/")
		if !ok {
			continue
		}
		sources = append(sources, corev1.VolumeProjectionArgs{ConfigMap: corev1.ConfigMapProjectionArgs{
			// A guard without them still guards.
			Name: pulumi.String(name), Optional: pulumi.Bool(true),
			Items: corev1.KeyToPathArray{corev1.KeyToPathArgs{Key: pulumi.String(key), Path: pulumi.String(trusted[0])}},
		}})
	}
	return sources
}

// ownLogin is the key in the Secret of a login for an address.
func ownLogin(name string) string { return "own-" + name }

// secretLogins are all logins by their keys in the Secret.
func (a *GuardArgs) secretLogins() map[string]settings.Secret {
	all := map[string]settings.Secret{}
	maps.Copy(all, a.Logins)
	for name, document := range a.OwnLogins {
		all[ownLogin(name)] = document
	}
	return all
}

// loginsName is the name of the Secret with the guard's logins.
func loginsName(app App) string { return app.Name + "-logins" }

func (a *GuardArgs) volumes(app App) corev1.VolumeArray {
	sources := a.sources(app)
	if len(sources) == 0 {
		return nil
	}
	return corev1.VolumeArray{corev1.VolumeArgs{Name: pulumi.String("files"), Projected: corev1.ProjectedVolumeSourceArgs{
		DefaultMode: pulumi.Int(0o440), Sources: sources,
	}}}
}
