// Package verify is the gate in front of the release record: it runs the smoke suite against the release's own pods
// and then bakes the release on its metrics. The verify hook of the Pulumi program calls it and nothing else does the
// same.
//
// It decides nothing itself: internal/smoke judges the pods and internal/gate the metrics. It imports no Pulumi, and
// reaches the cluster only through the Cluster interface.
package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/smoke"
)

// Cluster is what the gate needs of the cluster.
type Cluster interface {
	// WaitRolledOut waits until the Deployment has all its pods ready, and none of an earlier template.
	WaitRolledOut(ctx context.Context, namespace, deployment string) error
	// ReadyPods lists the pods of a Deployment that are ready for requests, and none that merely carries its labels.
	ReadyPods(ctx context.Context, namespace, deployment string) ([]corev1.Pod, error)
	// PodClient reaches a port of a pod through the API server. The caller closes it.
	PodClient(ctx context.Context, namespace, pod string, port int) (client *http.Client, baseURL string, closePod func(),
		err error)
	// Record keeps the outcome in the cluster for people to read, replacing the one before.
	Record(ctx context.Context, namespace, name string, data map[string]string) error
}

// Options say what to verify.
type Options struct {
	// Deployment is that of the release, and Port the container port of its pods.
	Namespace, Deployment string
	Port                  int
	// Beside is the Deployment that a release which fails the suite is compared with: the stable track's, empty for none.
	Beside string
	// Release, Image and Track are named in what is reported and recorded.
	Release, Image, Track string
	// RecordName is the name under which the outcome is recorded.
	RecordName string
	// Suite and Values are the smoke suite and its values; SmokeTimeout bounds it.
	Suite        *smoke.Suite
	Values       smoke.Values
	SmokeTimeout time.Duration
	// Bake watches the metrics from the moment it is called and gives its last look. Nil for a release that is not baked.
	Bake func(ctx context.Context) gate.Evaluation
	// Now is the clock.
	Now func() time.Time
}

// Report is the outcome.
type Report struct {
	Verdict gate.Verdict
	Smoke   *smoke.Report
	// Beside is what the suite found on a pod of the stable track, when it fails every check there that the release
	// fails: a shared dependency fails, and the release is not blamed. Otherwise it is nil.
	Beside *smoke.Report
	// Bake is nil when the release was not baked, be it for its smoke suite or because the stack does not want it.
	Bake *gate.Evaluation
}

// RefusedError says that the release did not pass. The record of the release is not written then.
type RefusedError struct {
	Release, Track, Namespace string
	Report                    Report
}

// Error names what did not pass, and what to do next.
func (e *RefusedError) Error() string {
	what := fmt.Sprintf("%s %s in %s did not pass its gate: verdict %s", e.Track, e.Release, e.Namespace, e.Report.Verdict)
	counts := e.Report.Smoke.Counts
	if !e.Report.Smoke.OK() {
		return fmt.Sprintf("%s, %d of %d smoke tests did not pass\n%s\n%s%s", what, counts.Failed, counts.Total,
			e.Report.Smoke, e.Report.shared(), e.next())
	}
	return fmt.Sprintf("%s (smoke suite: %d of %d passed)\n%s\n%s", what, counts.Passed, counts.Total, e.Report.Bake,
		e.next())
}

// Summary is why the release did not pass, in a sentence.
func (e *RefusedError) Summary() string {
	if !e.Report.Smoke.OK() {
		var names []string
		for _, result := range e.Report.Smoke.Failures() {
			names = append(names, result.Check+" ("+result.Reason+")")
		}
		return fmt.Sprintf("%d of %d smoke tests did not pass: %s", e.Report.Smoke.Failed, e.Report.Smoke.Total,
			strings.Join(names, ", "))
	}
	return e.Report.Bake.Reasons(e.Report.Verdict)
}

// shared says that the release is not blamed; nothing when it is.
func (r Report) shared() string {
	if r.Beside == nil {
		return ""
	}
	pods := strings.Join(slices.Sorted(maps.Keys(r.Beside.Targets)), ", ")
	return fmt.Sprintf("But the stable track fails the same checks (pod %s): a shared dependency fails, not the canary.\n",
		pods)
}

func (e *RefusedError) next() string {
	retry := "an unchanged `pulumi up` runs the gate again"
	switch {
	case e.Report.Verdict == gate.Fail && e.Track == "canary":
		return "The canary is taken out of traffic and its image is latched. To settle: pulumi config set canaryWeight 0 " +
			"&& pulumi up."
	case e.Report.Verdict == gate.Fail:
		return "Nothing was recorded. Set another image, or, after a fix of its surroundings, " + retry + "."
	default:
		return "Nothing was recorded, and nothing speaks against the release either: " + retry + "."
	}
}

// Run verifies the release. It returns a *RefusedError when the verdict is anything else than pass; any other error
// means that the gate could not be run at all.
func Run(ctx context.Context, cluster Cluster, options Options) (Report, error) {
	found, err := smokeRolledOut(ctx, cluster, options, options.Deployment, everyPod)
	if err != nil {
		return Report{Verdict: gate.Error}, err
	}
	report := Report{Verdict: smokeVerdict(found), Smoke: found}
	if report.Verdict == gate.Fail && options.Beside != "" {
		beside, err := smokeRolledOut(ctx, cluster, options, options.Beside, 1)
		// A stable track that cannot be asked takes no blame.
		if err == nil && failsToo(found, beside) {
			report.Verdict, report.Beside = gate.Inconclusive, beside
		}
	}
	if report.Verdict == gate.Pass && options.Bake != nil {
		evaluation := options.Bake(ctx)
		report.Bake = &evaluation
		report.Verdict = evaluation.Verdict()
	}
	recorded := cluster.Record(ctx, options.Namespace, options.RecordName, record(options, report))
	if report.Verdict != gate.Pass {
		refused := &RefusedError{Release: options.Release, Track: options.Track, Namespace: options.Namespace, Report: report}
		return report, errors.Join(refused, recorded)
	}
	return report, recorded
}

// Smoke runs the suite alone against the release's pods, and records nothing.
func Smoke(ctx context.Context, cluster Cluster, options Options) (Report, error) {
	found, err := runSmoke(ctx, cluster, options, options.Deployment, everyPod)
	if err != nil {
		return Report{Verdict: gate.Error}, err
	}
	return Report{Verdict: smokeVerdict(found), Smoke: found}, nil
}

// smokeRolledOut runs the suite as [runSmoke] does once no pod of an earlier template is left: one that has not seen
// the change which is verified would answer for those that have.
func smokeRolledOut(ctx context.Context, cluster Cluster, options Options, deployment string, most int) (*smoke.Report,
	error) {
	wait, cancel := context.WithTimeout(ctx, options.SmokeTimeout)
	defer cancel()
	if err := cluster.WaitRolledOut(wait, options.Namespace, deployment); err != nil {
		return nil, fmt.Errorf("wait for the pods that are to be verified: %w", err)
	}
	return runSmoke(ctx, cluster, options, deployment, most)
}

// everyPod is more than a track has.
const everyPod = math.MaxInt

// runSmoke runs the suite against the ready pods of the Deployment, at most so many of them.
func runSmoke(ctx context.Context, cluster Cluster, options Options, deployment string, most int) (*smoke.Report,
	error) {
	ctx, cancel := context.WithTimeout(ctx, options.SmokeTimeout)
	defer cancel()
	pods, err := cluster.ReadyPods(ctx, options.Namespace, deployment)
	if err != nil {
		return nil, fmt.Errorf("find the pods of %s %s: %w", options.Track, options.Release, err)
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf("no ready pod of %s %s in %s (deployment %s): look at `kubectl get deployments,pods -n %s "+
			"--show-labels`",
			options.Track, options.Release, options.Namespace, deployment, options.Namespace)
	}
	var targets []smoke.Target
	for _, pod := range pods[:min(len(pods), most)] {
		client, address, closePod, err := cluster.PodClient(ctx, options.Namespace, pod.Name, options.Port)
		if err != nil {
			return nil, fmt.Errorf("reach pod %s: %w", pod.Name, err)
		}
		defer closePod() //nolint:gocritic // every client is used until the suite is done
		targets = append(targets, smoke.Target{Name: pod.Name, BaseURL: address, Client: client})
	}
	return smoke.Run(ctx, options.Suite, targets, options.Values), nil
}

// failsToo tells whether every check that fails on the release fails on the stable track as well.
func failsToo(release, stable *smoke.Report) bool {
	failing := map[string]bool{}
	for _, result := range stable.Failures() {
		failing[result.Check] = failing[result.Check] || result.Status == smoke.Failed
	}
	for _, result := range release.Failures() {
		if result.Status == smoke.Failed && !failing[result.Check] {
			return false
		}
	}
	return true
}

// smokeVerdict tells a release that answers wrongly from one that could not be looked at.
func smokeVerdict(report *smoke.Report) gate.Verdict {
	if report.OK() {
		return gate.Pass
	}
	for _, result := range report.Failures() {
		if result.Status == smoke.Failed {
			return gate.Fail
		}
	}
	return gate.Error
}

func record(options Options, report Report) map[string]string {
	data := map[string]string{
		"release": options.Release,
		"track":   options.Track,
		"image":   options.Image,
		"time":    options.Now().UTC().Format(time.RFC3339),
		"verdict": string(report.Verdict),
		"smoke":   report.Smoke.String() + report.shared(),
	}
	if report.Bake != nil {
		data["bake"] = report.Bake.String()
	}
	return data
}

// String is the report as a person reads it in the output of `pulumi up`.
func (r Report) String() string {
	text := r.Smoke.String()
	if r.Bake != nil {
		text += "\n" + r.Bake.String()
	}
	return text
}
