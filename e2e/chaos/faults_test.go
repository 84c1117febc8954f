//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/names"
)

// fault is a change of the configuration that starts well and is rolled back later: the path of its key, and the value.
type fault struct{ path, value string }

// faults are ten of each kind of change that shapes a pod.
var faults = map[string][]fault{
	"image": images("3456789abc"),
	"ConfigMap": {
		{"configEnv.LOG_LEVEL", "debug"}, {"configEnv.LOG_LEVEL", "trace"}, {"configEnv.POOL_SIZE", "1"},
		{"configEnv.TIMEOUT", "1ms"}, {"configEnv.FEATURE", "on"}, {"configEnv.UPSTREAM", "http://nowhere.invalid"},
		{"configEnv.RETRIES", "1000"}, {"configEnv.CURRENCY", "XXX"}, {"configEnv.BATCH", "0"}, {"env.FLAG", "1"},
	},
	"secret": {
		{"secrets.db.password", "another"}, {"secrets.db.password", "a-third"}, {"secrets.db.user", "nobody"},
		{"secrets.token.key", "short"}, {"secrets.token.issuer", "https://nowhere.invalid"}, {"secrets.db.host", "nowhere"},
		{"secrets.mail.password", "expired"}, {"secrets.db.password", "a-fourth"}, {"secrets.cache.url", "redis://nowhere"},
		{"secrets.token.key", "revoked"},
	},
	"pod": {
		{"resources.requests.memory", "16Mi"}, {"resources.requests.cpu", "20m"}, {"resources.limits.memory", "8Gi"},
		{"probes.readiness.path", "/health/live"}, {"probes.readiness.periodSeconds", "60"},
		{"probes.liveness.timeoutSeconds", "1"}, {"probes.liveness.failureThreshold", "1"},
		{"probes.startup.failureThreshold", "300"}, {"shutdown.preStopSeconds", "3"}, {"tmpSize", "1Mi"},
	},
}

// images are changes to other versions of the service.
func images(versions string) []fault {
	var all []fault
	for _, version := range strings.Split(versions, "") {
		all = append(all, fault{"image", imageOf(version)})
	}
	return all
}

// Forty faults that start well go on trial one after the other and are rolled back. The stable track never gets another
// template than its first: neither by the update, nor by a pod that is lost, nor by the capacity that a rollback
// restores, nor by the next update while the configuration still names the bad value.
func TestFortyFaults(t *testing.T) {
	for kind, all := range faults {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.set("image="+imageOf("1"), "secretEnv.USER=db/user", "secretEnv.HOST=db/host", "secretEnv.KEY=token/key",
				"secretEnv.ISSUER=token/issuer", "secretEnv.MAIL=mail/password", "secretEnv.CACHE=cache/url",
				"configEnv.LOG_LEVEL=info")
			for _, path := range []string{"db.user", "db.host", "token.key", "token.issuer", "mail.password", "cache.url"} {
				w.secret("secrets."+path, "good")
			}
			if output, err := w.pulumi(up...); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			first := w.templates(names.Stable)
			if len(first) != 1 {
				t.Fatalf("the stable track had the templates %v", first)
			}
			file := filepath.Join(w.dir, "Pulumi."+stackName+".yaml")
			good, err := os.ReadFile(file)
			w.must(err)
			for _, bad := range all {
				// A release that still has an earlier fault would stay out for that one.
				w.must(os.WriteFile(file, good, 0o600))
				w.triesOut(bad)
				w.losesStablePod()
				w.guardRollsBack("")
				w.losesStablePod()
				w.expectStable(fmt.Sprintf("after %s=%s", bad.path, bad.value), first[0])
				if t.Failed() {
					w.report(nil)
					return
				}
			}
			if output, err := w.pulumi(up...); err == nil || !strings.Contains(output, "- latched: ") {
				t.Errorf("the last fault comes in again: %v\n%s", err, output)
			}
			w.expectStable("after an update that was refused", first[0])
			w.settles()
			w.expectStable("at 0 % with the bad values configured", first[0])
		})
	}
}

// triesOut updates the stack with a fault and checks that the canary runs it.
func (w *world) triesOut(bad fault) {
	w.t.Helper()
	before := w.templates(w.state().Living())
	if strings.HasPrefix(bad.path, "secrets.") {
		w.secret(bad.path, bad.value)
	} else {
		w.set(bad.path + "=" + bad.value)
	}
	output, err := w.pulumi(up...)
	if err != nil {
		w.t.Errorf("%s=%s is not tried out: %v\n%s", bad.path, bad.value, err, output)
		return
	}
	state := w.state()
	now := w.templates(state.Living())
	if state.Weight != 10 || len(now) == 0 || len(now) == len(before) {
		w.t.Errorf("%s=%s: the canary had the templates %v before and has %v, at %d %%", bad.path, bad.value, before, now,
			state.Weight)
	}
}

// secret sets a secret by the path of its key.
func (w *world) secret(path, value string) {
	w.t.Helper()
	if output, err := w.pulumi("config", "set", "--secret", "--path", path, value); err != nil {
		w.t.Fatalf("pulumi config set --secret: %v\n%s", err, output)
	}
}

// losesStablePod deletes a pod of the stable track, as the drain of its node does.
func (w *world) losesStablePod() {
	w.t.Helper()
	pods, err := w.AllPods(w.t.Context(), namespace, map[string]string{names.App: app, names.Track: names.Stable})
	w.must(err)
	if len(pods) == 0 {
		w.t.Fatal("the stable track has no pod")
	}
	w.must(w.Clientset.CoreV1().Pods(namespace).Delete(w.t.Context(), pods[0].Name, metav1.DeleteOptions{}))
}

// expectStable checks that every template that the stable track ever had, and every pod that it has, is the first.
func (w *world) expectStable(when, first string) {
	w.t.Helper()
	if had := w.templates(names.Stable); len(had) != 1 || had[0] != first {
		w.t.Errorf("%s the stable track had the templates %v, and the first is %s", when, had, first)
	}
	pods, err := w.AllPods(w.t.Context(), namespace, map[string]string{names.App: app, names.Track: names.Stable})
	w.must(err)
	for _, pod := range pods {
		if ran := pod.Annotations[names.Identity]; ran != first {
			w.t.Errorf("%s pod %s of the stable track runs %s", when, pod.Name, ran)
		}
	}
}

// templates are the identities of all pod templates that a track's Deployment ever had: the cluster keeps a ReplicaSet
// of each.
func (w *world) templates(track string) []string {
	w.t.Helper()
	if track == "" {
		return nil
	}
	name := names.CanaryDeployment(app, track)
	deployment, err := w.Clientset.AppsV1().Deployments(namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	w.must(err)
	sets, err := w.Clientset.AppsV1().ReplicaSets(namespace).List(w.t.Context(), metav1.ListOptions{})
	w.must(err)
	var identities []string
	for i := range sets.Items {
		if metav1.IsControlledBy(&sets.Items[i], deployment) {
			identities = append(identities, sets.Items[i].Spec.Template.Annotations[names.Identity])
		}
	}
	return identities
}
