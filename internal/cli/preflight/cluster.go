package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// OldestKubernetes is the oldest supported version: pods shut down through the native preStop sleep.
const OldestKubernetes = "1.30.0"

func (c checker) cluster() Row {
	r := row("cluster", "%s; kubectl config get-contexts", c.on("pulumi config get kubeContext"))
	if c.f.Cluster.Err != nil {
		return r.is(Failed, "%s", strings.Join(strings.Fields(c.f.Cluster.Err.Error()), " "))
	}
	parsed, err := version.ParseGeneric(c.f.Cluster.Version)
	if err != nil {
		return r.unseen(fmt.Errorf("cannot parse version %q of %s", c.f.Cluster.Version, c.f.Cluster.Origin))
	}
	if parsed.LessThan(version.MustParseGeneric(OldestKubernetes)) {
		r.Fix = "upgrade the cluster"
		return r.is(Failed, "%s has version %s; %s or newer is required", c.f.Cluster.Origin, c.f.Cluster.Version,
			strings.TrimSuffix(OldestKubernetes, ".0"))
	}
	return r.is(OK, "%s answers, version %s", c.f.Cluster.Origin, c.f.Cluster.Version)
}

func (c checker) namespace() Row {
	r, answers := c.within(row("namespace", "%s, or use another namespace: %s",
		"kubectl annotate namespace "+c.s.Namespace+" finance-rollout/stack="+c.f.Owner,
		c.on("pulumi config set namespace NAME")))
	namespace := c.f.Namespace
	switch {
	case !answers:
		return r
	case namespace.Err != nil:
		return r.unseen(namespace.Err)
	case !namespace.Exists:
		return r.is(OK, "%s does not exist yet; pulumi up creates it", c.s.Namespace)
	case namespace.Owner == "":
		return r.is(Failed, "%s exists and belongs to no stack", c.s.Namespace)
	case namespace.Owner != c.f.Owner:
		return r.is(Failed, "%s belongs to %s", c.s.Namespace, namespace.Owner)
	default:
		return r.is(OK, "%s belongs to the stack", c.s.Namespace)
	}
}

// NeededSecrets returns the keys that the stack's pods and gates need, by the name of the Secret in the cluster.
func NeededSecrets(s *settings.Settings) map[string][]string {
	needed := map[string][]string{}
	need := func(name, key string) {
		if !slices.Contains(needed[name], key) {
			needed[name] = append(needed[name], key)
		}
	}
	add := func(ref settings.SecretRef) {
		if ref != (settings.SecretRef{}) {
			need(s.SecretName(ref.Secret), ref.Key)
		}
	}
	for _, ref := range s.ExistingEnv {
		if ref != (settings.SecretRef{}) {
			need(ref.Secret, ref.Key)
		}
	}
	for _, ref := range s.SecretEnv {
		add(ref)
	}
	add(s.Smoke.TokenFrom)
	if s.Smoke.Origin == "" {
		add(s.Smoke.OriginFrom)
	}
	if s.IsGuarded() {
		add(s.Guard.WebhookToken)
		add(s.Guard.DashboardToken)
	}
	for _, keys := range needed {
		slices.Sort(keys)
	}
	return needed
}

// secrets checks each Secret in a row.
func (c checker) secrets() []Row {
	var rows []Row
	needed := NeededSecrets(c.s)
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		rows = append(rows, c.secret(name, needed[name]))
	}
	return rows
}

// isForeign reports whether somebody else makes a Secret.
func (c checker) isForeign(name string) bool {
	for _, ref := range c.s.ExistingEnv {
		if ref.Secret == name {
			return true
		}
	}
	return false
}

func (c checker) secret(name string, keys []string) Row {
	configured := strings.TrimSuffix(name, "-"+c.s.Environment)
	r, answers := c.within(row("secret "+name, "%s; %s", c.on("pulumi config set --secret --path secrets.%s.KEY",
		configured),
		c.on("pulumi up --refresh")))
	secret, known := c.f.Secrets[name]
	if answers && c.isForeign(name) && (c.first() || known && secret.Err == nil && !secret.Exists) {
		return row("secret "+name, "make it in namespace %s, with the keys %s", c.s.Namespace, strings.Join(keys, ", ")).
			is(Failed, "the cluster does not have it, and existingSecretEnv takes variables from it")
	}
	inStack := func(key string) bool {
		_, ok := c.s.Secret(settings.SecretRef{Secret: configured, Key: key})
		return ok
	}
	switch {
	case !answers:
		return r
	case c.first() || known && secret.Err == nil && !secret.Exists:
		missing := slices.DeleteFunc(slices.Clone(keys), inStack)
		if len(missing) > 0 {
			return r.is(Failed, "the cluster does not have it, and the stack lacks its keys %s", strings.Join(missing, ", "))
		}
		if c.first() {
			return r.is(OK, "the stack has its %d keys; pulumi up creates it", len(keys))
		}
		return r.is(Failed, "the cluster does not have it, but the stack has its keys")
	case !known:
		return r.unseen(fmt.Errorf("it was not read"))
	case secret.Err != nil:
		return r.unseen(secret.Err)
	}
	var missing, unfilled []string
	for _, key := range keys {
		switch secret.Keys[key] {
		case "":
			missing = append(missing, key)
		case KeyEmpty, KeyPlaceholder:
			unfilled = append(unfilled, fmt.Sprintf("%s (%s)", key, secret.Keys[key]))
		}
	}
	switch {
	case len(missing) > 0:
		return r.is(Failed, "its keys %s are missing", strings.Join(missing, ", "))
	case len(unfilled) > 0:
		return r.is(Failed, "keys without a value: %s", strings.Join(unfilled, ", "))
	default:
		return r.is(OK, "all %d keys are set: %s", len(keys), strings.Join(keys, ", "))
	}
}

// images checks each image in a row.
func (c checker) images() []Row {
	rows := []Row{c.image("image", "image", c.s.Image, c.f.Image)}
	if !c.s.IsSingle() {
		rows = append(rows, c.image("stable image", "stableImage", c.s.StableImage, c.f.StableImage))
	}
	return rows
}

func (c checker) image(name, key, reference string, image Image) Row {
	r := row(name, "push the image, or correct the reference: %s, or set credentials: %s and %s",
		c.on("pulumi config set %s REFERENCE", key),
		c.on("pulumi config set --path registry.username NAME"), c.on("pulumi config set --secret --path registry.password"))
	switch {
	case c.s.Build.Context != "" && key == "image":
		return r.is(Skipped, "pulumi up builds it from %s", c.s.Build.Context)
	case reference == "" && c.s.ImageFromStaging() && key == "image":
		return r.is(Skipped, "it is the image that stack %s has verified", c.s.Staging.Stack)
	case reference == "":
		return r.is(Failed, "config %s is empty", key)
	case image.Err != nil:
		return r.is(Failed, "%s", image.Err)
	case image.Digest == "":
		return r.unseen(fmt.Errorf("the registry was not asked for %s", reference))
	case strings.HasSuffix(reference, "@"+image.Digest):
		return r.is(OK, "the registry has %s", reference)
	default:
		return r.is(OK, "the registry has %s as %s", reference, image.Digest)
	}
}
