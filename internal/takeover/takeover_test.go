package takeover

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/names"
)

var update = flag.Bool("update", false, "write the golden files anew")

const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

// world is a service as the guide's manifests have it, and the stack that takes it over.
func world(t *testing.T) (Target, *Live) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "kubectl.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	deployment, service := appsv1.Deployment{}, corev1.Service{}
	documents := bytes.Split(text, []byte("\n---\n"))
	for i, into := range []any{&deployment, &service} {
		if err := yaml.UnmarshalStrict(documents[i], into); err != nil {
			t.Fatal(err)
		}
	}
	workload := Workload{Kind: "Deployment", Meta: deployment.ObjectMeta, Selector: deployment.Spec.Selector,
		Replicas: int(*deployment.Spec.Replicas), Strategy: Strategy{"2", "0"}, Template: deployment.Spec.Template}
	colliding := workload
	pod := corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "finance",
		Image:   "registry.example.com/vextrus/finance:week1-prod",
		ImageID: "registry.example.com/vextrus/finance@" + digest}}}}
	target := Target{App: "finance-service", Namespace: "shop", ServiceName: "finance-service", Stack: "production",
		Owner: "finance-rollout/production", Given: Values{}}
	return target, &Live{Service: &service, Pods: []corev1.Pod{pod}, Workloads: []Workload{workload},
		Colliding: &colliding,
		Alive:     func(string, string) bool { return false }}
}

// golden compares a plan with the file of its name.
func golden(t *testing.T, name string, plan *Plan) {
	t.Helper()
	got, err := yaml.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestAKubectlMadeServiceIsTakenOver(t *testing.T) {
	target, live := world(t)
	golden(t, "kubectl-plan.yaml", New(target, live))
}

// The order is what keeps requests from being lost: nothing that takes requests changes before the update, and no old
// pod ends before the Service leads to the new ones.
func TestNoOldPodEndsBeforeTheServiceLeadsToNewOnes(t *testing.T) {
	target, live := world(t)
	target.Delete = true
	var actions []Action
	for _, step := range New(target, live).Steps {
		actions = append(actions, step.Action)
	}
	want := []Action{Mark, Write, Save, SetAside, Update, Await, Drain, Delete}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Error(diff)
	}
}

func TestWhoWouldRevertTheTakeoverIsNamed(t *testing.T) {
	hpa := func(name, target string, owners ...metav1.OwnerReference) autoscalingv2.HorizontalPodAutoscaler {
		return autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 20,
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: target}},
		}
	}
	owned := func(kind, name string) metav1.OwnerReference { return metav1.OwnerReference{Kind: kind, Name: name} }
	alive := func(f *Live) { f.Alive = func(string, string) bool { return true } }
	for name, tt := range map[string]struct {
		change func(*Target, *Live)
		words  []string // none where it is taken over
	}{
		"kubectl": {change: func(*Target, *Live) {}},
		"Helm": {change: func(_ *Target, f *Live) {
			f.Service.Annotations = map[string]string{helmRelease: "finance", helmNamespace: "shop"}
		}, words: []string{"Helm release finance in shop",
			"kubectl annotate service finance-service -n shop --overwrite helm.sh/resource-policy=keep"}},
		"Helm that lets go": {change: func(_ *Target, f *Live) {
			f.Service.Annotations = map[string]string{helmRelease: "finance", helmPolicy: "keep"}
			f.Workloads[0].Meta.Annotations = f.Service.Annotations
		}},
		"the Deployment alone is Helm's": {change: func(_ *Target, f *Live) {
			f.Workloads[0].Meta.Annotations = map[string]string{helmRelease: "finance"}
		}, words: []string{"kubectl annotate deployment finance-service-stable -n shop --overwrite " +
			"helm.sh/resource-policy=keep"}},
		"labels of a chart alone": {change: func(_ *Target, f *Live) {
			f.Service.Labels["app.kubernetes.io/managed-by"] = "Helm"
			f.Service.Labels[argoCDInstance] = "finance"
		}},
		"Argo CD by annotation": {change: func(_ *Target, f *Live) {
			f.Service.Annotations = map[string]string{argoCDTracking: "shop:/Service:shop/finance-service"}
		}, words: []string{"Argo CD application shop", "Prune=false", "argocd.argoproj.io/tracking-id-"}},
		"Argo CD by label": {change: func(_ *Target, f *Live) {
			f.Service.Labels[argoCDInstance] = "shop"
			f.Service.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "argocd-controller"}}
		}, words: []string{"Argo CD application shop", "app.kubernetes.io/instance-"}},
		"Flux": {change: func(_ *Target, f *Live) {
			f.Service.Labels[fluxKustomize] = "apps"
		}, words: []string{"Flux Kustomization apps", "kustomize.toolkit.fluxcd.io/reconcile=disabled"}},
		"Argo Rollouts": {change: func(_ *Target, f *Live) {
			alive(f)
			f.Service.Annotations = map[string]string{rolloutsService: "finance"}
		}, words: []string{"Rollout finance", "kubectl delete rollout finance -n shop --cascade=orphan"}},
		"Argo Rollouts that is gone": {change: func(_ *Target, f *Live) {
			f.Service.Annotations = map[string]string{rolloutsService: "finance"}
			f.Service.Spec.Selector[rolloutsTemplate] = "abc"
			f.Workloads[0].Kind = "ReplicaSet"
			f.Workloads[0].Meta.OwnerReferences = []metav1.OwnerReference{owned("Rollout", "finance")}
		}},
		"a ReplicaSet of a Rollout": {change: func(_ *Target, f *Live) {
			alive(f)
			f.Workloads[0].Meta.OwnerReferences = []metav1.OwnerReference{owned("Rollout", "finance")}
		}, words: []string{"it belongs to Rollout finance", "--cascade=orphan"}},
		"Flagger": {change: func(_ *Target, f *Live) {
			alive(f)
			f.Service.OwnerReferences = []metav1.OwnerReference{owned("Canary", "finance")}
		}, words: []string{"Canary finance, and Flagger would revert",
			"kubectl delete canary finance -n shop --cascade=orphan"}},
		"an operator of one's own": {change: func(_ *Target, f *Live) {
			alive(f)
			f.Workloads[0].Meta.OwnerReferences = []metav1.OwnerReference{owned("Application", "shop")}
		}, words: []string{"Application shop, and its controller would revert"}},
		"an autoscaler": {change: func(_ *Target, f *Live) {
			f.Autoscalers = []autoscalingv2.HorizontalPodAutoscaler{hpa("finance", "finance-service-stable")}
		}, words: []string{"hpa shop/finance", "kubectl delete hpa finance -n shop", "traffic gateway -s production"}},
		"an autoscaler of something else": {change: func(_ *Target, f *Live) {
			f.Autoscalers = []autoscalingv2.HorizontalPodAutoscaler{hpa("other", "other")}
		}},
		"an autoscaler where a Gateway splits": {change: func(target *Target, f *Live) {
			target.Gateway = true
			f.Autoscalers = []autoscalingv2.HorizontalPodAutoscaler{hpa("finance", "finance-service-stable")}
		}},
		"KEDA where a Gateway splits": {change: func(target *Target, f *Live) {
			target.Gateway = true
			alive(f)
			f.Autoscalers = []autoscalingv2.HorizontalPodAutoscaler{hpa("finance", "finance-service-stable",
				owned("ScaledObject", "finance"))}
		}, words: []string{"ScaledObject finance, and KEDA would revert"}},
		"no Service": {change: func(_ *Target, f *Live) { f.Service = nil },
			words: []string{"there is no such Service", "rollout adopt --service NAME -s production"}},
		"no pods": {change: func(_ *Target, f *Live) { f.Workloads, f.Pods = nil, nil },
			words: []string{"it leads to no pods", "kubectl get pods -n shop -l app=finance-service"}},
		"no selector": {change: func(_ *Target, f *Live) { f.Service.Spec.Selector = nil }, words: []string{"no selector"}},
		"an alias":    {change: func(_ *Target, f *Live) { f.Service.Spec.Type = "ExternalName" }, words: []string{"alias"}},
		"another stack's namespace": {change: func(_ *Target, f *Live) { f.Owner = "shop/production" },
			words: []string{"belongs to the stack shop/production"}},
		"the name to set aside is taken": {change: func(_ *Target,
			f *Live) {
			f.Kept = []string{"finance-service-stable-before"}
		},
			words: []string{"kubectl delete deployment finance-service-stable-before -n shop"}},
		"a password in the open": {change: func(_ *Target, f *Live) {
			container := &f.Workloads[0].Template.Spec.Containers[0]
			container.Env = append(container.Env, corev1.EnvVar{Name: "SMTP_PASSWORD", Value: "k8Ro-2pQz-77"})
		}, words: []string{"its variable SMTP_PASSWORD holds", "existingSecretEnv.SMTP_PASSWORD smtp-password/value"}},
		"a password that the stack has from a Secret": {change: func(target *Target, f *Live) {
			container := &f.Workloads[0].Template.Spec.Containers[0]
			container.Env = append(container.Env, corev1.EnvVar{Name: "SMTP_PASSWORD", Value: "k8Ro-2pQz-77"})
			target.Given["existingSecretEnv"] = object{"SMTP_PASSWORD": "smtp/value"}
			target.Given["env"] = object{}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			target, live := world(t)
			tt.change(&target, live)
			plan := New(target, live)
			var text strings.Builder
			for _, refusal := range plan.Refusals {
				text.WriteString(refusal.Error() + "\n")
			}
			if (len(plan.Refusals) > 0) != (len(tt.words) > 0) || (len(plan.Steps) > 0) != (len(tt.words) == 0) {
				t.Fatalf("%d steps, refusals:\n%s", len(plan.Steps), text.String())
			}
			for _, word := range tt.words {
				if !strings.Contains(text.String(), word) {
					t.Errorf("the refusals do not say %q:\n%s", word, text.String())
				}
			}
			if strings.Contains(text.String(), "k8Ro-2pQz-77") || strings.Contains(compact(plan), "k8Ro-2pQz-77") {
				t.Error("the plan shows a password")
			}
		})
	}
}

// What a person wrote into the stack's file counts, and the weight is 0 all the same.
func TestTheStacksOwnSettingsCount(t *testing.T) {
	target, live := world(t)
	target.Given = Values{
		"replicas": 12.0, "canaryWeight": 10.0, "stableImage": "finance@" + digest, "service": object{"nodePort": 30100.0},
		"secretEnv": object{"DATABASE_PASSWORD": "finance-db/password"}, "pod": object{},
	}
	plan := New(target, live)
	got := plan.Settings
	want := Values{"canaryWeight": 0, "service": object{"port": 3014, "type": "NodePort", "nodePort": 30100.0,
		"sessionAffinity": true}}
	for key, value := range want {
		if !same(got[key], value) {
			t.Errorf("%s is %s, want %s", key, compact(got[key]), compact(value))
		}
	}
	for _, key := range []string{"replicas", "stableImage", "secretEnv", "pod"} {
		if got[key] != nil {
			t.Errorf("%s is written anew: %s", key, compact(got[key]))
		}
	}
	if existing, _ := got["existingSecretEnv"].(object); existing["DATABASE_PASSWORD"] != nil {
		t.Errorf("a variable comes from two places: %v", existing)
	}
	if notes := strings.Join(plan.Notes, "\n"); !strings.Contains(notes, "replicas stays as the stack's file has it; the "+
		"cluster has 9") {
		t.Errorf("nobody says what differs:\n%s", notes)
	}
}

func TestAnInterruptedTakeoverGoesOn(t *testing.T) {
	target, live := world(t)
	live.Service.Spec.Selector = map[string]string{"app": "finance-service", "traffic": "enabled"}
	live.Service.Labels[names.ManagedBy] = names.Program
	live.Colliding, live.Owner = nil, target.Owner
	plan := New(target, live)
	if len(plan.Settings) > 0 || len(plan.Steps) != 2 || plan.Steps[0].Action != Await || plan.Steps[1].Action != Drain {
		t.Errorf("the plan is %s", compact(plan))
	}
	live.Workloads = nil
	plan = New(target, live)
	if len(plan.Steps) > 0 || len(plan.Refusals) > 0 || !slices.ContainsFunc(plan.Notes,
		func(note string) bool { return strings.Contains(note, "nothing to take over") }) {
		t.Errorf("a service that was taken over gives %s", compact(plan))
	}
}

func TestAMonitorThatWouldScrapeTwiceGoes(t *testing.T) {
	for name, tt := range map[string]struct {
		monitor Monitor
		action  Action
		note    string
	}{
		"of kubectl": {monitor: Monitor{Meta: metav1.ObjectMeta{Name: "finance"}, Path: "/prom", Interval: "30s",
			Selector: map[string]string{"app": "finance-service"}}, action: Remove},
		"of Helm": {monitor: Monitor{Meta: metav1.ObjectMeta{Name: "finance", Annotations: map[string]string{
			helmRelease: "finance"}}, Selector: map[string]string{"app": "finance-service"}},
			note: "scrapes the pods a second time"},
		"of another service": {monitor: Monitor{Meta: metav1.ObjectMeta{Name: "orders"},
			Selector: map[string]string{"app": "orders"}}},
	} {
		t.Run(name, func(t *testing.T) {
			target, live := world(t)
			live.Monitors = []Monitor{tt.monitor}
			plan := New(target, live)
			removed := slices.ContainsFunc(plan.Steps, func(step Step) bool { return step.Action == Remove })
			if removed != (tt.action == Remove) || !strings.Contains(strings.Join(plan.Notes, "\n"), tt.note) {
				t.Errorf("the plan is %s", compact(plan))
			}
			if tt.action == Remove && !same(plan.Settings["metrics"], object{"path": "/prom", "interval": "30s"}) {
				t.Errorf("metrics are %v", plan.Settings["metrics"])
			}
		})
	}
}
