package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
	"github.com/vextrus/finance-rollout/e2e/fixture"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// argoVersion is the version that local/tools/argo-rollouts pins.
const argoVersion = "1.9.1"

// peer is the name of the Rollout, and of the label that its pods have beside those of our stable track.
const peer = "peer"

// argo is a Rollout in a stack of ours whose own pods are gone: it has the stack's Service, Secrets, monitoring and the
// very template of the stable track.
type argo struct {
	measure.Shell
	fixture    *fixture.Stack
	nodePort   int
	template   corev1.PodTemplateSpec
	prometheus string
	controller *exec.Cmd
	// hash is that of the canary's ReplicaSet, and tries counts the canaries.
	hash  string
	tries int
}

// deployArgo starts the controller and a stack of ours without a canary.
func deployArgo(ctx context.Context, root string, nodePort int) (*argo, error) {
	const suffix = "-peers-argo"
	shell, err := measure.Derive(ctx, root, suffix, nodePort)
	a := &argo{Shell: shell, nodePort: nodePort}
	if err != nil {
		return a, err
	}
	if a.fixture, err = fixture.Open(filepath.Join(root, ".local", "kubeconfig"),
		"vextrus-production"+suffix); err != nil {
		return a, err
	}
	for _, setting := range [][2]string{{"staging.required", "false"}, {"guard.enabled", "false"}, {"canaryWeight", "0"}} {
		if err := a.Set(ctx, setting[0], setting[1]); err != nil {
			return a, err
		}
	}
	if _, err := a.Up(ctx, "production"); err != nil {
		return a, err
	}
	stable, err := a.fixture.Client.AppsV1().Deployments(a.fixture.Namespace).Get(ctx, a.fixture.StableDeployment(),
		metav1.GetOptions{})
	if err != nil {
		return a, err
	}
	a.template = stable.Spec.Template
	a.template.Labels[peer] = peer
	if err := a.findPrometheus(ctx); err != nil {
		return a, err
	}
	err = a.start(ctx)
	return a, err
}

// findPrometheus finds the address that the analysis asks. The controller runs on this machine, which reaches pods.
func (a *argo) findPrometheus(ctx context.Context) error {
	pods, err := a.fixture.Client.CoreV1().Pods("monitoring").List(ctx,
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=prometheus"})
	if err != nil {
		return err
	}
	if len(pods.Items) == 0 {
		return errors.New("the local cluster has no Prometheus: run `make cluster`")
	}
	a.prometheus = fmt.Sprintf("http://%s:9090", pods.Items[0].Status.PodIP)
	return nil
}

// start applies the definitions and starts the controller.
func (a *argo) start(ctx context.Context) error {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-rollouts")
	list.Dir = filepath.Join(a.Root, "local", "tools", "argo-rollouts")
	dir, err := list.Output()
	if err != nil {
		return fmt.Errorf("find the module of Argo Rollouts: %w", err)
	}
	for _, name := range []string{"rollout", "analysis-run", "analysis-template", "cluster-analysis-template",
		"experiment"} {
		path := filepath.Join(strings.TrimSpace(string(dir)), "manifests", "crds", name+"-crd.yaml")
		if _, err := a.Run(ctx, "kubectl", "apply", "--server-side", "-f", path); err != nil {
			return err
		}
	}
	log, err := os.Create(filepath.Join(a.Root, ".local", "logs", "argo-rollouts.log"))
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	a.controller = exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(a.Root, ".local", "bin",
		"rollouts-controller"), "--kubeconfig", filepath.Join(a.Root, ".local", "kubeconfig"), "--leader-elect=false",
		"--namespace", a.fixture.Namespace, "--namespaced", "--metricsport", "28090", "--healthzPort", "28080")
	a.controller.Stdout, a.controller.Stderr = log, log
	if err := a.controller.Start(); err != nil {
		return fmt.Errorf("start the controller, which `make bench-peers` builds: %w", err)
	}
	_, err = a.Run(ctx, "kubectl", "scale", "-n", a.fixture.Namespace, "deployment/"+a.fixture.StableDeployment(),
		"--replicas=0")
	return err
}

// end stops the controller and removes the stack with its Rollout.
func (a *argo) end(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var failed error
	if a.controller != nil && a.controller.Process != nil {
		failed = errors.Join(a.remove(ctx), a.controller.Process.Signal(os.Interrupt))
		_ = a.controller.Wait() // it ends by the signal
	}
	return errors.Join(failed, a.Destroy(ctx))
}

// remove deletes the Rollout, and waits until none of its pods is left.
func (a *argo) remove(ctx context.Context) error {
	if _, err := a.Run(ctx, "kubectl", "delete", "-n", a.fixture.Namespace, "--ignore-not-found", "--timeout=60s",
		"rollout/"+peer, "analysistemplate/errors"); err != nil {
		return err
	}
	_, err := a.Run(ctx, "kubectl", "wait", "-n", a.fixture.Namespace, "--for=delete", "pod", "-l", peer+"="+peer,
		"--timeout=120s")
	return err
}

func (a *argo) name() string { return "Argo Rollouts" }

func (a *argo) stack() (stack *fixture.Stack, nodePort int) { return a.fixture, a.nodePort }

// enter makes a healthy Rollout and changes its template, which brings the canary in at the weight.
func (a *argo) enter(ctx context.Context, weight int) error {
	if err := a.remove(ctx); err != nil {
		return err
	}
	if err := a.apply(ctx, weight); err != nil {
		return err
	}
	isHealthy := func(s status) bool { return s.Phase == "Healthy" && s.Ready == total }
	if err := a.await(ctx, "healthy", isHealthy); err != nil {
		return err
	}
	if err := a.apply(ctx, weight); err != nil {
		return err
	}
	err := a.await(ctx, "at its weight", func(s status) bool {
		return s.Step == 1 && s.Hash != "" && s.Hash != s.Stable
	})
	if err != nil {
		return err
	}
	current, err := a.status(ctx)
	if err != nil {
		return err
	}
	a.hash = current.Hash
	return fixture.Until(ctx, func() (bool, error) {
		pods, _, err := a.pods(ctx)
		ready := slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !podstate.IsReady(&pod) })
		return len(ready) == canaryPods(weight), err
	})
}

// apply writes the Rollout and its analysis; each call has another template.
func (a *argo) apply(ctx context.Context, weight int) error {
	a.tries++
	template := a.template.DeepCopy()
	template.Spec.Containers[0].Env = append(template.Spec.Containers[0].Env,
		corev1.EnvVar{Name: "FAULTS_ENABLED", Value: "true"}, corev1.EnvVar{Name: "TRY", Value: fmt.Sprint(a.tries)})
	content, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List",
		"items": []any{a.analysis(), a.rollout(weight, template)}})
	if err != nil {
		return fmt.Errorf("write the Rollout: %w", err)
	}
	path := filepath.Join(a.Project, "argo.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	_, err = a.Run(ctx, "kubectl", "apply", "--server-side", "--force-conflicts", "-f", path)
	return err
}

func (a *argo) rollout(weight int, template *corev1.PodTemplateSpec) map[string]any {
	return map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
		"metadata": map[string]any{"name": peer, "namespace": a.fixture.Namespace},
		"spec": map[string]any{
			"replicas": total, "selector": map[string]any{"matchLabels": map[string]any{peer: peer}}, "template": template,
			"strategy": map[string]any{"canary": map[string]any{
				"maxSurge": "25%", "maxUnavailable": "25%",
				"steps": []any{map[string]any{"setWeight": weight}, map[string]any{"pause": map[string]any{}}},
				"analysis": map[string]any{
					"startingStep": 1, "templates": []any{map[string]any{"templateName": "errors"}},
					"args": []any{map[string]any{"name": "hash",
						"valueFrom": map[string]any{"podTemplateHashValue": "Latest"}}},
				},
			}},
		},
	}
}

// analysis asks for the share of the canary's errors. Without a request or an error there is no value, which passes.
func (a *argo) analysis() map[string]any {
	rate := func(code string) string {
		return fmt.Sprintf(`sum(rate(http_requests_total{namespace=%q,pod=~"%s-{{args.hash}}-.*"%s}[15s]))`,
			a.fixture.Namespace, peer, code)
	}
	return map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
		"metadata": map[string]any{"name": "errors", "namespace": a.fixture.Namespace},
		"spec": map[string]any{
			"args": []any{map[string]any{"name": "hash"}},
			"metrics": []any{map[string]any{
				"name": "errors", "interval": "5s", "failureLimit": 0,
				"successCondition": "len(result) == 0 || isNaN(result[0]) || result[0] <= 0.01",
				"provider": map[string]any{"prometheus": map[string]any{"address": a.prometheus,
					"query": rate(`,code=~"5.."`) + " / " + rate("")}},
			}},
		},
	}
}

// status is the part of a Rollout's status that is read.
type status struct {
	Phase  string `json:"phase"`
	Step   int    `json:"currentStepIndex"`
	Hash   string `json:"currentPodHash"`
	Stable string `json:"stableRS"`
	Ready  int    `json:"readyReplicas"`
}

func (a *argo) status(ctx context.Context) (status, error) {
	text, err := a.Run(ctx, "kubectl", "get", "rollout", peer, "-n", a.fixture.Namespace, "-o", "json")
	if err != nil {
		return status{}, err
	}
	var live struct {
		Status status `json:"status"`
	}
	if err := json.Unmarshal([]byte(text), &live); err != nil {
		return status{}, fmt.Errorf("read the Rollout: %w", err)
	}
	return live.Status, nil
}

func (a *argo) await(ctx context.Context, words string, is func(status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	err := fixture.Until(ctx, func() (bool, error) {
		current, err := a.status(ctx)
		return is(current), err
	})
	if err != nil {
		return fmt.Errorf("the Rollout is not %s: see .local/logs/argo-rollouts.log: %w", words, err)
	}
	return nil
}

func (a *argo) pods(ctx context.Context) (pods []corev1.Pod, prefix string, err error) {
	list, err := a.fixture.Client.CoreV1().Pods(a.fixture.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: "rollouts-pod-template-hash=" + a.hash})
	if err != nil {
		return nil, "", err
	}
	return list.Items, peer + "-" + a.hash + "-", nil
}

// over waits until an abort has taken the last canary pod away.
func (a *argo) over(ctx context.Context) (bool, error) {
	pods, _, err := a.pods(ctx)
	if err != nil || len(pods) > 0 {
		return false, err
	}
	current, err := a.status(ctx)
	return current.Phase == "Degraded", err
}
