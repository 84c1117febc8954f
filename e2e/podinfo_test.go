//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/prometheus/common/model"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vextrus/finance-rollout/build/images"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// TestPodinfo rolls out a public service by the stack file of examples/real-services alone, from week 1 to the finish
// and under a guard.
func TestPodinfo(t *testing.T) {
	takeTurn(t, 5)
	c := open(t, "podinfo", 31280)
	c.becomePodinfo(t)
	inOrder(t, c, []part[*cluster]{
		{name: "probes and scrapes are no evidence", run: nothingButProbes, vital: true},
		{name: "week 1 to the finish", run: podinfoFinishes, vital: true},
	})
}

// becomePodinfo gives the production stack the example's settings. What differs is the cluster's: its name, its
// registry, and waits of a minute where customers wait for days.
func (c *cluster) becomePodinfo(t *testing.T) {
	t.Helper()
	c.app = "podinfo"
	settings := testkit.StackFile(t, filepath.Join(c.root, "examples", "real-services", "Pulumi.podinfo.yaml"))
	for _, key := range []string{"kubeconfig", "kubeContext", "prometheus"} {
		settings[key] = c.configured(t, "production", key)
	}
	finance := c.configured(t, "production", "image")
	registry, _, _ := strings.Cut(finance, "/")
	maps.Copy(settings, map[string]string{
		"namespace": c.production, "replicas": "2", "warmStable": "1", "stages": "[50,100]",
		"stableImage": c.pushPodinfo(t, registry, "v1"), "image": c.pushPodinfo(t, registry, "v2"),
		"guard":    `{"image":"` + c.configured(t, "production", "guard.image") + `","watch":"1m"}`,
		"staging":  `{"required":false}`,
		"bake":     `{"duration":"20s","interval":"4s","minRequests":50}`,
		"soak":     `{"duration":"20s","extension":"20s"}`,
		"criteria": `{"errorRate":0.01,"rollbackErrorRate":0.02}`,
		"floors":   `{"soak":"0s","bake":"0s","reason":"a local cluster without customers"}`,
		"smoke":    `{"suite":"` + c.patientPodinfoSuite(t) + `","originFrom":"","tokenFrom":""}`,
	})
	c.edit(t, "production", func(values config.Map) error {
		clear(values)
		for key, value := range settings {
			of := config.NewValue(value)
			if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
				of = config.NewObjectValue(value)
			}
			if err := values.Set(configKey(key), of, false); err != nil {
				return err
			}
		}
		return nil
	})
	c.config(t, "metrics.interval", "2s")
}

// pushPodinfo builds the service and pushes it as an image whose label sets it apart from its other releases. The
// program stands where the example's command expects it.
func (c *cluster) pushPodinfo(t *testing.T, registry, release string) string {
	t.Helper()
	if output, err := c.run(t, filepath.Join(c.root, ".local", "bin", "local"), "tools", "podinfo"); err != nil {
		t.Fatalf("build podinfo: %v\n%s", err, output)
	}
	image, err := images.Image{Binary: filepath.Join(c.root, ".local", "bin", "podinfo"), Path: "/podinfo",
		Labels: map[string]string{"org.opencontainers.image.version": release}}.Build()
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(registry+"/podinfo:"+release, name.Insecure)
	if err == nil {
		err = remote.Write(tag, image, remote.WithContext(t.Context()))
	}
	if err != nil {
		t.Fatalf("push podinfo %s: %v", release, err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return registry + "/podinfo@" + digest.String()
}

// patientPodinfoSuite writes the example's smoke suite with another limit of its latency check; see patientSuite.
func (c *cluster) patientPodinfoSuite(t *testing.T) string {
	t.Helper()
	suite, err := os.ReadFile(filepath.Join(c.root, "examples", "real-services", "smoke-podinfo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	patient := bytes.ReplaceAll(suite, []byte("max: 250ms"), []byte("max: 5s"))
	path := filepath.Join(c.dir, "smoke-podinfo.yaml")
	if err := os.WriteFile(path, patient, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nothingButProbes enters week 1 without a customer. The kubelet asks the pods all the time, Prometheus scrapes them,
// and the smoke suite sends requests: none of it lets the release pass.
func nothingButProbes(t *testing.T, c *cluster) {
	c.refused(t, "verdict inconclusive", "no evidence speaks against the release")
	c.expectTracks(t, 1, 1)
	answer, _, _, err := prometheusAPI(t).Query(t.Context(), fmt.Sprintf(
		"sum(http_request_duration_seconds_count{namespace=%q,track=\"canary\",path=~\"healthz|readyz\"})", c.production),
		time.Now())
	vector, _ := answer.(model.Vector)
	if err != nil || len(vector) != 1 || vector[0].Value == 0 {
		t.Errorf("the canary counts no probes, so that nothing was left out: %v, %v", answer, err)
	}
}

// podinfoFinishes goes from week 1 to the finish without a failed request.
func podinfoFinishes(t *testing.T, c *cluster) {
	entrance := c.doorOfPodinfo(t)
	sent := c.customersAt(t, entrance, 50)
	c.up(t, "production")
	c.expectTracks(t, 1, 1)
	c.storesFile(t, entrance)
	c.guardSees(t)
	c.config(t, "week", "2")
	c.upWhenSoaked(t)
	c.expectTracks(t, 1, 2)
	c.config(t, "stableImage", c.configured(t, "production", "image"))
	c.config(t, "canaryWeight", "0")
	c.upWhenSoaked(t)
	c.expectTracks(t, 2, 0)
	if last, _ := c.history(t).LastMove(); last.Kind != ledger.Finished {
		t.Errorf("the last move is %s", last.Kind)
	}
	sent.end()
	sent.expectAnswers(t)
	t.Logf("%d requests, %d failed", sent.requests, len(sent.failures))
}

// doorOfPodinfo lets customers in from outside of the cluster. The stack's own Service stays inside: with metrics on a
// port of their own, a node port would publish them.
func (c *cluster) doorOfPodinfo(t *testing.T) door {
	t.Helper()
	nodePort := int32(c.nodePort) //nolint:gosec // at most 65535
	_, err := c.kubernetes.CoreV1().Services(c.production).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "door"},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": c.app, "traffic": "enabled"},
			Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(9898), NodePort: nodePort}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return door{url: fmt.Sprintf("http://127.0.0.1:%d", c.nodePort), get: "/api/info", await: c.awaitService}
}

// storesFile writes a file to the folder that the stack makes writable.
func (c *cluster) storesFile(t *testing.T, entrance door) {
	t.Helper()
	eventually(t, "podinfo writes below /data", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, entrance.url+"/store",
			strings.NewReader("a receipt"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusAccepted
	})
}

// guardSees checks that a guard leads and reads the canary's metrics from their own port.
func (c *cluster) guardSees(t *testing.T) {
	t.Helper()
	eventually(t, "the guard sees the canary", func() bool {
		lines := c.guardMetrics(t.Context())
		leads := slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "rollout_guard_leader") && strings.HasSuffix(line, " 1")
		})
		sees := slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "rollout_guard_blind{") && strings.HasSuffix(line, " 0")
		})
		return leads && sees
	})
}
