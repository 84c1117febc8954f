//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
	"github.com/vextrus/finance-rollout/internal/cli/diagnose/live"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/soak"
)

const (
	diagnoseNamespace = "vextrus-diagnose-e2e"
	wellDeployment    = "finance-service-stable"
	diagnoseKey       = "a-key-that-only-this-test-knows-0123456789"
	// window is the range of the Prometheus queries, longest the limit on how long requests are sent.
	window, longest = time.Minute, 10 * time.Minute
)

// broken is the namespace with all situations in it.
type broken struct {
	kubernetes kubernetes.Interface
	dynamic    dynamic.Interface
	product    *kube.Client
	prometheus soak.Server
}

// TestDiagnose sets up all situations at once, each in its own Deployment, and expects the cause of each as its first
// finding.
func TestDiagnose(t *testing.T) {
	takeTurn(t, 8)
	b := openBroken(t)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	image := b.setUp(t, root)
	b.load(t)
	b.diagnosed(t, "nothing", func(diagnosis diagnose.Diagnosis) bool {
		return len(diagnosis.Findings) == 0 && len(diagnosis.Unseen) == 0
	}, wellDeployment)
	for _, situation := range situations {
		t.Run(situation.name, func(t *testing.T) {
			name := "broken-" + situation.name
			diagnosis := b.diagnosed(t, string(situation.cause), func(diagnosis diagnose.Diagnosis) bool {
				return len(diagnosis.Findings) > 0 && diagnosis.Findings[0].Cause == situation.cause &&
					diagnosis.Findings[0].Workload == name
			}, name, wellDeployment)
			t.Logf("%s", diagnosis)
			if first := diagnosis.Findings[0]; len(first.Evidence) == 0 || len(first.Next) == 0 {
				t.Errorf("no evidence or no next command: %s", described(diagnosis.Findings))
			}
			if text := diagnosis.String(); strings.Contains(text, diagnoseKey) || strings.Contains(text, databasePassword(t)) {
				t.Error("the diagnosis shows a secret")
			}
		})
	}
	t.Run("commands", func(t *testing.T) { commands(t, b, root, image) })
}

// diagnosed repeats a diagnosis until it is as expected, and returns it. The cluster needs a while to notice a bad pod,
// and on a machine that is busy with other tests healthy requests can be slow for a while.
func (b *broken) diagnosed(t *testing.T, want string, expected func(diagnose.Diagnosis) bool,
	deployments ...string) diagnose.Diagnosis {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(2 * time.Second) {
		diagnosis := diagnose.Diagnose(b.gather(t, deployments...))
		if expected(diagnosis) {
			return diagnosis
		}
		if time.Now().After(deadline) {
			t.Fatalf("the first finding is not %s\n%s", want, diagnosis)
		}
	}
}

func openBroken(t *testing.T) *broken {
	t.Helper()
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		t.Fatal("the environment does not describe the local cluster: run `make e2e`, or `make cluster` and `. " +
			".local/env` first")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 50, 100
	b := &broken{kubernetes: kubernetes.NewForConfigOrDie(config), dynamic: dynamic.NewForConfigOrDie(config)}
	if b.product, err = kube.New(kube.Options{Kubeconfig: kubeconfig}); err != nil {
		t.Fatal(err)
	}
	if b.prometheus, err = prometheus.Connect(endpoint.Way{Proxy: b.product},
		os.Getenv("FINANCE_ROLLOUT_PROMETHEUS")); err != nil {
		t.Fatal(err)
	}
	return b
}

// removeNamespace deletes a namespace and waits until it is gone.
func removeNamespace(ctx context.Context, t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	for {
		err := client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil {
			return // It is gone, or the next step says what is wrong.
		}
		select {
		case <-ctx.Done():
			t.Fatalf("namespace %s does not end", name)
		case <-time.After(time.Second):
		}
	}
}

func (b *broken) setUp(t *testing.T, root string) (image string) {
	t.Helper()
	ctx := t.Context()
	removeNamespace(ctx, t, b.kubernetes, diagnoseNamespace)
	create(t, func() error {
		_, err := b.kubernetes.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: diagnoseNamespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
			Annotations: map[string]string{names.Owner: reportOwner},
		}}, metav1.CreateOptions{})
		return err
	})
	t.Cleanup(func() { removeNamespace(ctx, t, b.kubernetes, diagnoseNamespace) })
	superuser(t, "DROP DATABASE IF EXISTS "+fullDatabase,
		"CREATE DATABASE "+fullDatabase+" OWNER ledgerapp CONNECTION LIMIT 0")
	t.Cleanup(func() { superuser(t, "DROP DATABASE IF EXISTS "+fullDatabase+" WITH (FORCE)") })
	for name, data := range map[string]map[string]string{
		"finance-db-e2e":      {"host": "postgres.data.svc", "username": "ledgerapp", "password": databasePassword(t)},
		"finance-secrets-e2e": {"jwt-secret": diagnoseKey},
	} {
		create(t, func() error {
			_, err := b.kubernetes.CoreV1().Secrets(diagnoseNamespace).Create(ctx,
				&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}, metav1.CreateOptions{})
			return err
		})
	}
	create(t, func() error { // Refuses pods without requests and limits.
		_, err := b.kubernetes.CoreV1().ResourceQuotas(diagnoseNamespace).Create(ctx, &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Name: "no-best-effort"},
			Spec: corev1.ResourceQuotaSpec{
				Hard:   corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")},
				Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort},
			},
		}, metav1.CreateOptions{})
		return err
	})
	b.monitor(t)
	return b.deploy(t, root)
}

func create(t *testing.T, do func() error) {
	t.Helper()
	if err := do(); err != nil {
		t.Fatal(err)
	}
}

// monitor makes Prometheus scrape all pods.
func (b *broken) monitor(t *testing.T) {
	t.Helper()
	monitor := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
		"metadata": map[string]any{"name": "all", "namespace": diagnoseNamespace},
		"spec": map[string]any{
			"selector":            map[string]any{"matchLabels": map[string]any{names.App: diagnoseApp}},
			"podTargetLabels":     []any{names.App, names.Track, names.Version},
			"podMetricsEndpoints": []any{map[string]any{"port": "http", "path": "/metrics", "interval": "2s"}},
		},
	}}
	kind := schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "podmonitors"}
	create(t, func() error {
		_, err := b.dynamic.Resource(kind).Namespace(diagnoseNamespace).Create(t.Context(), monitor, metav1.CreateOptions{})
		return err
	})
}

func (b *broken) deploy(t *testing.T, root string) (image string) {
	t.Helper()
	nodes, err := b.kubernetes.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) == 0 {
		t.Fatalf("no node: %v", err)
	}
	node := nodes.Items[0].Status.Addresses[0].Address
	pods := &brokenPods{proxy: slowProxy(t, node, node+":5432", 700*time.Millisecond)}
	pods.image, pods.prefix = pushService(t, root)
	deployments := b.kubernetes.AppsV1().Deployments(diagnoseNamespace)
	well := pods.deployment(wellDeployment)
	for _, labels := range []map[string]string{well.Labels, well.Spec.Template.Labels} {
		labels[names.Track], labels[names.Version] = names.Stable, wellDeployment
	}
	create(t, func() error { _, err := deployments.Create(t.Context(), well, metav1.CreateOptions{}); return err })
	for _, situation := range situations {
		deployment := pods.deployment("broken-" + situation.name)
		situation.change(pods, &deployment.Spec.Template.Spec)
		for key, value := range situation.labels {
			deployment.Spec.Template.Labels[key] = value
		}
		create(t, func() error {
			_, err := deployments.Create(t.Context(), deployment, metav1.CreateOptions{})
			return err
		})
	}
	eventually(t, "the healthy Deployment is ready", func() bool {
		diagnosis, err := deployments.Get(t.Context(), wellDeployment, metav1.GetOptions{})
		return err == nil && diagnosis.Status.ReadyReplicas == 1
	})
	return pods.image
}

// load sends requests to the pods that must fail or be slow, and to the healthy one, until the test ends.
func (b *broken) load(t *testing.T) {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "e2e",
		"exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(diagnoseKey))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	var waits []func()
	begin := func(deployment, body string, perSecond int) {
		address := b.address(t, deployment)
		waits = append(waits, during(ctx, perSecond, func(ctx context.Context) {
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader([]byte(body)))
			if err != nil {
				return
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer "+token)
			if answer, err := http.DefaultClient.Do(request); err == nil {
				answer.Body.Close()
			}
		}))
	}
	b.awaitScrape(t)
	begin(wellDeployment, graphQL, 5)
	for _, situation := range situations {
		if situation.load != "" {
			begin("broken-"+situation.name, situation.load, situation.perSecond)
		}
	}
	t.Cleanup(func() {
		cancel()
		for _, wait := range waits {
			wait()
		}
	})
	time.Sleep(window)
}

// awaitScrape waits until Prometheus scrapes the pods. If it misses a change of its configuration, it rereads it every
// three minutes.
func (b *broken) awaitScrape(t *testing.T) {
	t.Helper()
	query := fmt.Sprintf("up{namespace=%q,version=%q}", diagnoseNamespace, wellDeployment)
	for deadline := time.Now().Add(4 * time.Minute); ; time.Sleep(2 * time.Second) {
		answer, err := b.prometheus.Ask(t.Context(), query, time.Now())
		if diagnosis, ok := answer.(model.Vector); err == nil && ok && len(diagnosis) > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("Prometheus does not scrape the namespace: %v", err)
		}
	}
}

// address waits for a ready pod of a Deployment and returns its URL.
func (b *broken) address(t *testing.T, deployment string) string {
	t.Helper()
	address := ""
	eventually(t, "a ready pod of "+deployment, func() bool {
		pods, err := b.kubernetes.CoreV1().Pods(diagnoseNamespace).List(t.Context(),
			metav1.ListOptions{LabelSelector: names.Version + "=" + deployment})
		if err != nil || countReady(pods.Items) == 0 {
			return false
		}
		address = fmt.Sprintf("http://%s:3014/graphql", pods.Items[0].Status.PodIP)
		return true
	})
	return address
}

// gather takes a snapshot of Deployments as `rollout diagnose` does.
func (b *broken) gather(t *testing.T, deployments ...string) diagnose.Snapshot {
	t.Helper()
	metrics := gate.DefaultMetrics().With(map[string]string{"namespace": diagnoseNamespace, "path": "/graphql"})
	metrics.ScrapeInterval = 2 * time.Second
	options := live.Options{
		Stack: "e2e", Environment: "e2e", Namespace: diagnoseNamespace, Port: 3014, HealthPath: "/health",
		Criteria: []gate.Criterion{gate.ErrorRate(0.01, 0.02), gate.Latency(500*time.Millisecond, 0.95)},
		Window:   window, Now: time.Now,
		Redact: func(text string) string { return strings.ReplaceAll(text, diagnoseKey, "[redacted]") },
	}
	for _, name := range deployments {
		track := names.Canary
		if name == wellDeployment {
			track = names.Stable
		}
		selected := metrics.For(track, name)
		options.Targets = append(options.Targets, live.Target{Name: name, Metrics: &selected})
	}
	snapshot := live.Gather(t.Context(), b.product, b.prometheus, options)
	if path := os.Getenv("FINANCE_ROLLOUT_SNAPSHOTS"); path != "" {
		raw, err := json.MarshalIndent(snapshot, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		create(t, func() error { return os.WriteFile(filepath.Join(path, deployments[0]+".json"), raw, 0o600) })
	}
	return snapshot
}
