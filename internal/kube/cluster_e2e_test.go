//go:build e2e

package kube

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

const (
	serverPort = 8080
	patience   = 2 * time.Minute
)

// pushServer builds the test's server and pushes it to the registry that the cluster pulls from.
func pushServer(t *testing.T) string {
	t.Helper()
	registry := os.Getenv("FINANCE_ROLLOUT_REGISTRY")
	if registry == "" {
		t.Fatal("FINANCE_ROLLOUT_REGISTRY is not set: source .local/env")
	}
	binary := filepath.Join(t.TempDir(), "server")
	build := exec.Command("go", "build", "-o", binary, "./testdata/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	if err := writer.WriteHeader(&tar.Header{Name: "server", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser,
		error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64",
		Config: v1.Config{Entrypoint: []string{"/server"}}})
	if err != nil {
		t.Fatal(err)
	}
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(registry + "/e2e/kube-server:test")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return tag.Repository.Name() + "@" + digest.String()
}

// newNamespace makes a namespace that goes with the test.
func newNamespace(t *testing.T, client *Client) string {
	t.Helper()
	created, err := client.clientset.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "e2e-kube-", Annotations: map[string]string{"example.com/owner": "e2e"},
		}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now := int64(0)
		if err := client.clientset.CoreV1().Namespaces().Delete(context.Background(), created.Name,
			metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
			t.Error(err)
		}
	})
	return created.Name
}

func deploy(t *testing.T, client *Client, namespace, name, image string, replicas int32, env ...corev1.EnvVar) {
	t.Helper()
	labels := map[string]string{"app": name}
	grace := int64(0)
	_, err := client.clientset.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: &grace,
				Containers: []corev1.Container{{
					Name: "server", Image: image, Env: env,
					ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
						HTTPGet: &corev1.HTTPGetAction{Path: "/pod", Port: intstr.FromInt32(serverPort)},
					}},
				}},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEndToEndCluster(t *testing.T) {
	client, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	image, namespace := pushServer(t), newNamespace(t, client)
	deploy(t, client, namespace, "web", image, 2)
	deploy(t, client, namespace, "crash", image, 1, corev1.EnvVar{Name: "CRASH", Value: "yes"})
	deploy(t, client, namespace, "unpullable", image[:len(image)-4]+"0000", 1)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.WaitDeploymentReady(ctx, namespace, "web", 2); err != nil {
		t.Fatal(err)
	}
	pods, err := client.ReadyPods(t.Context(), namespace, "web")
	if err != nil || len(pods) != 2 {
		t.Fatalf("%d ready pods, %v; want 2", len(pods), err)
	}
	t.Run("pod client", func(t *testing.T) { podClientEndToEnd(t, client, &pods[0]) })
	t.Run("pod client refuses", func(t *testing.T) {
		closed, base, closePod, err := client.PodClient(t.Context(), namespace, pods[0].Name, serverPort+1)
		if err != nil {
			t.Fatal(err)
		}
		defer closePod()
		_, err = get(t.Context(), closed, base)
		testkit.WantError(t, err, fmt.Sprintf("port-forward to %s/%s:8081", namespace, pods[0].Name), "refused")
		_, _, _, err = client.PodClient(t.Context(), namespace, "gone", serverPort)
		testkit.WantError(t, err, `pods "gone" not found`)
	})
	t.Run("service proxy", func(t *testing.T) { serviceProxyEndToEnd(t, client, namespace, pods) })
	t.Run("logs", func(t *testing.T) {
		logs, err := client.Logs(t.Context(), namespace, pods[0].Name, "", false, 10)
		if err != nil || logs != "server begins\n" {
			t.Errorf("logs %q, %v", logs, err)
		}
	})
	t.Run("crash loop", func(t *testing.T) { crashEndToEnd(t, client, namespace) })
	t.Run("image that cannot be pulled", func(t *testing.T) {
		waitFor(t, client, namespace, "unpullable", "deployment "+namespace+"/unpullable is not ready with 1 pods",
			"0 of 1 ready", "ImagePull")
	})
	t.Run("namespace", func(t *testing.T) {
		owner, exists, err := client.NamespaceOwner(t.Context(), namespace)
		if err != nil || !exists || owner.Annotations["example.com/owner"] != "e2e" {
			t.Errorf("%+v, %t, %v", owner, exists, err)
		}
		if _, exists, err := client.NamespaceOwner(t.Context(), "no-such-namespace"); err != nil || exists {
			t.Errorf("no such namespace: %t, %v", exists, err)
		}
	})
	t.Run("record", func(t *testing.T) {
		for _, data := range []map[string]string{{"verdict": "fail", "reason": "slow"}, {"verdict": "pass"}} {
			if err := client.Record(t.Context(), namespace, "verification", data); err != nil {
				t.Fatal(err)
			}
			got, err := client.clientset.CoreV1().ConfigMaps(namespace).Get(t.Context(), "verification", metav1.GetOptions{})
			if err != nil || len(got.Data) != len(data) || got.Data["verdict"] != data["verdict"] {
				t.Errorf("recorded %v, %v; want %v", got.Data, err, data)
			}
		}
	})
	t.Run("kinds", func(t *testing.T) {
		if kinds, err := client.Kinds(t.Context(), "apps/v1"); err != nil || !slices.Contains(kinds, "Deployment") {
			t.Errorf("apps/v1 has %v, %v", kinds, err)
		}
		if kinds, err := client.Kinds(t.Context(), "no.such.group/v1"); err != nil || len(kinds) != 0 {
			t.Errorf("a group that is not installed has %v, %v", kinds, err)
		}
	})
}

// Against a real API server the streams are tunnelled through WebSockets.
func podClientEndToEnd(t *testing.T, client *Client, pod *corev1.Pod) {
	before := time.Now()
	web, base, closePod, err := client.PodClient(t.Context(), pod.Namespace, pod.Name, serverPort)
	if err != nil {
		t.Fatal(err)
	}
	defer closePod()
	fresh := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			fresh++
		}
	}})
	for range 20 {
		if got, err := get(ctx, web, base+"/pod"); err != nil || got != pod.Name {
			t.Fatalf("got %q, %v; want %q", got, err, pod.Name)
		}
	}
	if fresh != 1 {
		t.Errorf("20 requests in turn took %d connections, want 1", fresh)
	}
	t.Logf("connected and made 20 requests in %v", time.Since(before))

	var requests sync.WaitGroup
	for i := range 12 {
		requests.Go(func() {
			want := strings.Repeat(fmt.Sprint(i), 100_000)
			response, err := web.Post(base+"/echo", "text/plain", strings.NewReader(want))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			if got, err := io.ReadAll(response.Body); err != nil || string(got) != want {
				t.Errorf("request %d: %d bytes back, %v; want %d", i, len(got), err, len(want))
			}
		})
	}
	requests.Wait()
}

func serviceProxyEndToEnd(t *testing.T, client *Client, namespace string, pods []corev1.Pod) {
	_, err := client.clientset.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(serverPort)}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	transport, base := client.ServiceProxy(namespace, "web", 80)
	isPod := func(name string) bool {
		return slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Name == name })
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		got, err := get(ctx, &http.Client{Transport: transport}, base+"/pod")
		if err == nil && isPod(got) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("through the service proxy: %q, %v; want the name of a pod", got, err)
		}
		time.Sleep(pollInterval)
	}
}

func crashEndToEnd(t *testing.T, client *Client, namespace string) {
	waitFor(t, client, namespace, "crash", "CrashLoopBackOff", "exit code 3")
	pods, err := client.allPods(t.Context(), namespace, map[string]string{"app": "crash"})
	if err != nil || len(pods) != 1 {
		t.Fatalf("%d pods, %v", len(pods), err)
	}
	logs, err := client.Logs(t.Context(), namespace, pods[0].Name, "server", true, 1)
	if err != nil || logs != "server crashes\n" {
		t.Errorf("previous logs %q, %v", logs, err)
	}
	_, err = client.Logs(t.Context(), namespace, "gone", "", false, 1)
	testkit.WantError(t, err, "logs of pod "+namespace+"/gone", "not found")
}

// waitFor repeats a short wait until its error has all the parts: the cluster takes a while to find a pod bad.
func waitFor(t *testing.T, client *Client, namespace, name string, parts ...string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := client.WaitDeploymentReady(ctx, namespace, name, 1)
		cancel()
		missing := slices.DeleteFunc(slices.Clone(parts), func(part string) bool {
			return err != nil &&
				strings.Contains(err.Error(), part)
		})
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("error %v does not say %q", err, missing)
		}
	}
}
