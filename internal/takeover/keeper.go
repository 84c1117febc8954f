package takeover

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/names"
)

// Object names an object of the cluster.
type Object struct {
	// Kind is a name of the kind that kubectl takes, such as service.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// command is a kubectl command on the object.
func (o Object) command(verb, rest string) string {
	return strings.TrimSpace(fmt.Sprintf("kubectl %s %s %s -n %s %s", verb, strings.ToLower(o.Kind), o.Name,
		o.Namespace, rest))
}

// Refusal is one reason why an object cannot be taken over, and the way out.
type Refusal struct {
	Object Object `json:"object"`
	Reason string `json:"reason"`
	// Fix is what to do about it, with commands that can be pasted.
	Fix string `json:"fix"`
}

// Error gives the refusal in one line.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: %s; to resolve: %s", r.Object, r.Reason, r.Fix)
}

// IsOurs reports whether a rollout has made the object.
func IsOurs(meta metav1.ObjectMeta) bool { return meta.Labels[names.ManagedBy] == names.Program }

// SelectsTracks reports whether a selector is that of a rollout's Service: it selects by the label that gives pods
// their traffic.
func SelectsTracks(selector map[string]string, app string) bool {
	return selector[names.App] == app && selector[names.Traffic] == names.Enabled
}

// Marks of the tools that keep objects as they have them.
const (
	argoCDTracking   = "argocd.argoproj.io/tracking-id"
	argoCDInstance   = "app.kubernetes.io/instance"
	fluxKustomize    = "kustomize.toolkit.fluxcd.io/name"
	fluxReconcile    = "kustomize.toolkit.fluxcd.io/reconcile"
	fluxNamespace    = "kustomize.toolkit.fluxcd.io/namespace"
	fluxHelm         = "helm.toolkit.fluxcd.io/name"
	fluxHelmIn       = "helm.toolkit.fluxcd.io/namespace"
	helmRelease      = "meta.helm.sh/release-name"
	helmNamespace    = "meta.helm.sh/release-namespace"
	helmPolicy       = "helm.sh/resource-policy"
	rolloutsService  = "argo-rollouts.argoproj.io/managed-by-rollouts"
	rolloutsTemplate = "rollouts-pod-template-hash"
	kedaName         = "scaledobject.keda.sh/name"
)

// Alive reports whether the owner of an object still exists. An owner that is gone reverts nothing.
type Alive func(kind, name string) bool

// Keepers lists who would turn back what the takeover changes of an object, or remove it: none for one that kubectl
// made.
func Keepers(object Object, meta metav1.ObjectMeta, alive Alive) []*Refusal {
	k := keepers{object: object, meta: meta}
	k.owners(alive)
	k.argoCD()
	k.flux()
	k.helm()
	k.argoRollouts(alive)
	return k.refusals
}

// contested is the part of the object that the takeover changes, and that its keeper would turn back.
func (k *keepers) contested() string {
	switch strings.ToLower(k.object.Kind) {
	case "service":
		return "its selector"
	case "deployment", "replicaset":
		return "its replicas"
	default:
		return "its deletion"
	}
}

type keepers struct {
	object   Object
	meta     metav1.ObjectMeta
	refusals []*Refusal
}

func (k *keepers) refuse(fix, reason string, args ...any) {
	k.refusals = append(k.refusals, &Refusal{Object: k.object, Reason: fmt.Sprintf(reason, args...), Fix: fix})
}

// owners are the controllers that made the object. A Deployment owns its ReplicaSets, and is looked at itself.
func (k *keepers) owners(alive Alive) {
	for _, owner := range k.meta.OwnerReferences {
		if owner.Kind == "Deployment" || owner.Kind == "ReplicaSet" || !alive(owner.Kind, owner.Name) {
			continue
		}
		holder := Object{Kind: strings.ToLower(owner.Kind), Namespace: k.object.Namespace, Name: owner.Name}
		tool, pause := controller(holder)
		k.refuse(pause+holder.command("delete", "--cascade=orphan"), "it belongs to %s %s, and %s would revert a change of "+
			"%s; without its owner it stays as it is, and its pods run on", owner.Kind, owner.Name, tool, k.contested())
	}
	if name := k.meta.Labels[kedaName]; name != "" && len(k.meta.OwnerReferences) == 0 {
		k.refuse(k.object.command("label", kedaName+"-"), "KEDA keeps it for ScaledObject %s", name)
	}
}

// controller names the tool that works on an owner, with the command that lets it rest; empty for one that is not
// known. Flagger would scale its target up again when its Canary goes, if that asks for it.
func controller(owner Object) (tool, pause string) {
	patch := func(fields string) string {
		return owner.command("patch", "--type merge -p '{\"spec\":{"+fields+"}}'") + " && "
	}
	switch owner.Kind {
	case "canary":
		return "Flagger", patch(`"suspend":true,"revertOnDeletion":false`)
	case "rollout":
		return "Argo Rollouts", patch(`"paused":true`)
	case "scaledobject":
		return "KEDA", owner.command("annotate", "--overwrite autoscaling.keda.sh/paused=true") + " && "
	default:
		return "its controller", ""
	}
}

func (k *keepers) argoCD() {
	application, mark := "", ""
	if tracking := k.meta.Annotations[argoCDTracking]; tracking != "" {
		application, _, _ = strings.Cut(tracking, ":")
		mark = k.object.command("annotate", argoCDTracking+"-")
	} else if instance := k.meta.Labels[argoCDInstance]; instance != "" && k.writtenBy("argocd") {
		application, mark = instance, k.object.command("label", argoCDInstance+"-")
	}
	if application == "" {
		return
	}
	prune := k.object.command("annotate", "--overwrite argocd.argoproj.io/sync-options=Prune=false")
	k.refuse(fmt.Sprintf("argocd app set %s --sync-policy none, %s, take it out of the application's source, and when "+
		"that "+
		"is synced: %s", application, prune, mark), "the Argo CD application %s keeps it: a sync or self-heal would turn %s "+
		"back to what Git has", application, k.contested())
}

func (k *keepers) flux() {
	in := func(label string) string {
		if namespace := k.meta.Labels[label]; namespace != "" {
			return namespace
		}
		return k.object.Namespace
	}
	if name := k.meta.Labels[fluxKustomize]; name != "" && k.meta.Annotations[fluxReconcile] != "disabled" {
		k.refuse(fmt.Sprintf("flux suspend kustomization %s -n %s, and so that the others go on: %s, then flux resume "+
			"kustomization %[1]s -n %[2]s", name, in(fluxNamespace), k.object.command("annotate",
			"--overwrite "+fluxReconcile+"=disabled")),
			"the Flux Kustomization %s keeps it: the next reconciliation would turn %s back to what Git has", name,
			k.contested())
	}
	if name := k.meta.Labels[fluxHelm]; name != "" && k.meta.Annotations[helmPolicy] != "keep" {
		k.refuse(fmt.Sprintf("flux suspend helmrelease %s -n %s, and take it out of the chart's values before you resume it",
			name, in(fluxHelmIn)), "the Flux HelmRelease %s keeps it: an upgrade, or the correction of a drift, would turn %s "+
			"back", name, k.contested())
	}
}

func (k *keepers) helm() {
	release := k.meta.Annotations[helmRelease]
	if release == "" || k.meta.Annotations[helmPolicy] == "keep" {
		return
	}
	in := k.meta.Annotations[helmNamespace]
	if in == "" {
		in = k.object.Namespace
	}
	k.refuse(k.object.command("annotate", "--overwrite "+helmPolicy+"=keep")+
		", and take it out of the chart's values before the next upgrade",
		"it belongs to the Helm release %s in %s: an uninstall would delete it, and an upgrade turn %s back; the annotation "+
			"%s=keep says that it stays", release, in, k.contested(), helmPolicy)
}

// argoRollouts writes the hash of a pod template into the selectors of its Services, for as long as there is a Rollout.
func (k *keepers) argoRollouts(alive Alive) {
	if name := k.meta.Annotations[rolloutsService]; name != "" && alive("Rollout", name) {
		holder := Object{Kind: "rollout", Namespace: k.object.Namespace, Name: name}
		_, pause := controller(holder)
		k.refuse(pause+holder.command("delete", "--cascade=orphan"), "Argo Rollouts keeps its selector for Rollout %s; "+
			"without that, its ReplicaSets and their pods run on", name)
	}
}

// writtenBy reports whether a field manager whose name begins so has written the object.
func (k *keepers) writtenBy(manager string) bool {
	for _, entry := range k.meta.ManagedFields {
		if strings.HasPrefix(entry.Manager, manager) {
			return true
		}
	}
	return false
}
