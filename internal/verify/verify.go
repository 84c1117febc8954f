// Package verify is the gate in front of the release record: it runs the smoke suite against the release's pods and
// then bakes the release on its metrics. The verify hook of the Pulumi program is its only caller, and the command
// runs its suite alone.
//
// internal/smoke judges the pods and internal/gate the metrics. The package imports no Pulumi and reaches the cluster
// only through the Cluster interface.
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
	// WaitRolledOut waits until all pods of the Deployment are ready and none of an earlier template is left.
	WaitRolledOut(ctx context.Context, namespace, deployment string) error
	// ReadyPods lists the ready pods that a Deployment owns.
	ReadyPods(ctx context.Context, namespace, deployment string) ([]corev1.Pod, error)
	// PodClient reaches a port of a pod through the API server. The caller must call closePod.
	PodClient(ctx context.Context, namespace, pod string, port int) (client *http.Client, baseURL string, closePod func(),
		err error)
	// Record stores the outcome in the cluster for people to read, in place of the previous one.
	Record(ctx context.Context, namespace, name string, data map[string]string) error
}

// Options describe what to verify. Beside and Bake are optional.
type Options struct {
	// Deployment is the release's, and Port the container port of its pods.
	Namespace, Deployment string
	Port                  int
	// Beside is the Deployment to compare a release with that fails the suite: the stable track's; empty for none.
	Beside string
	// Release, Image and Track go into the report and the record, Stack into the commands that a refusal names.
	Release, Image, Track, Stack string
	// RecordName is the name of the record.
	RecordName string
	// Advice is the next step after a verdict of fail; empty for that of a release.
	Advice string
	// Suite and Values are the smoke suite and its values; SmokeTimeout bounds a run.
	Suite        *smoke.Suite
	Values       smoke.Values
	SmokeTimeout time.Duration
	// Bake watches the metrics from the moment of its call and returns its last look; nil for no bake.
	Bake func(ctx context.Context) gate.Evaluation
	// Now is the clock.
	Now func() time.Time
}

// Report is the outcome of a verification.
type Report struct {
	Verdict gate.Verdict
	Smoke   *smoke.Report
	// Sent is the time in which the suite sent its requests, to either track; zero if it sent none.
	Sent gate.Window
	// Beside is the suite's result on a pod of the stable track if that pod fails every check that the release fails: a
	// shared dependency fails, and the release is not blamed. Otherwise it is nil.
	Beside *smoke.Report
	// Bake is nil if the release was not baked: it failed its smoke suite, or the stack asks for no bake.
	Bake *gate.Evaluation
}

// RefusedError is the refusal of a release that did not pass. Its release record is not written.
type RefusedError struct {
	Release, Track, Namespace, Stack string
	// Advice is the next step after a verdict of fail; empty for that of a release.
	Advice string
	Report Report
}

// Error names the failed checks or criteria and the next step.
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

// Summary is the reason of the refusal in one sentence.
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

// shared is the sentence that acquits the release; empty when the release is blamed.
func (r Report) shared() string {
	if r.Beside == nil {
		return ""
	}
	pods := strings.Join(slices.Sorted(maps.Keys(r.Beside.Targets)), ", ")
	return fmt.Sprintf("But the stable track fails the same checks (pod %s): a shared dependency fails, not the canary.\n",
		pods)
}

func (e *RefusedError) next() string {
	on := ""
	if e.Stack != "" {
		on = " -s " + e.Stack
	}
	retry := "an unchanged `pulumi up" + on + "` runs the gate again"
	switch {
	case e.Report.Verdict == gate.Fail && e.Advice != "":
		return e.Advice
	case e.Report.Verdict == gate.Fail && e.Track == "canary":
		return "The canary is taken out of traffic, and what was on trial is latched. To settle: pulumi config set " +
			"canaryWeight 0" + on + " && pulumi up" + on + "."
	case e.Report.Verdict == gate.Fail:
		return "Nothing was recorded. Set another image, or fix the environment: then " + retry + "."
	case e.Report.needsReview():
		return "Nothing was recorded. A person has to review what was found; " + retry + "."
	default:
		return "Nothing was recorded, and no evidence speaks against the release: " + retry + "."
	}
}

// Run verifies the release and records the outcome. It returns a *RefusedError for every verdict except pass. Any other
// error means that the gate could not run or the outcome could not be recorded.
func Run(ctx context.Context, cluster Cluster, options Options) (Report, error) {
	suite, sent, err := smokeRolledOut(ctx, cluster, options, options.Deployment, everyPod)
	if err != nil {
		return Report{Verdict: gate.Error}, err
	}
	report := Report{Verdict: smokeVerdict(suite), Smoke: suite, Sent: sent}
	if report.Verdict == gate.Fail && options.Beside != "" {
		beside, sent, err := smokeRolledOut(ctx, cluster, options, options.Beside, 1)
		if err == nil {
			report.Sent.End = sent.End
		}
		// A stable track that cannot be checked does not acquit the release.
		if err == nil && failsToo(suite, beside) {
			report.Verdict, report.Beside = gate.Inconclusive, beside
		}
	}
	if report.Verdict == gate.Pass && options.Bake != nil {
		evaluation := options.Bake(ctx)
		report.Bake = &evaluation
		report.Verdict = evaluation.Verdict()
	}
	recordErr := cluster.Record(ctx, options.Namespace, options.RecordName, record(options, report))
	if report.Verdict != gate.Pass {
		refused := &RefusedError{Release: options.Release, Track: options.Track, Namespace: options.Namespace,
			Stack: options.Stack, Advice: options.Advice, Report: report}
		return report, errors.Join(refused, recordErr)
	}
	return report, recordErr
}

// Smoke runs only the suite against the release's pods and records nothing. It returns an error when the suite could
// not run.
func Smoke(ctx context.Context, cluster Cluster, options Options) (Report, error) {
	suite, sent, err := runSmoke(ctx, cluster, options, options.Deployment, everyPod)
	if err != nil {
		return Report{Verdict: gate.Error}, err
	}
	return Report{Verdict: smokeVerdict(suite), Smoke: suite, Sent: sent}, nil
}

// smokeRolledOut runs the suite once no pod of an earlier template is left: such a pod would answer for the change
// without having it.
func smokeRolledOut(ctx context.Context, cluster Cluster, options Options, deployment string,
	most int) (report *smoke.Report, sent gate.Window, err error) {
	wait, cancel := context.WithTimeout(ctx, options.SmokeTimeout)
	defer cancel()
	if err := cluster.WaitRolledOut(wait, options.Namespace, deployment); err != nil {
		return nil, sent, fmt.Errorf("wait for the rollout of deployment %s: %w", deployment, err)
	}
	return runSmoke(ctx, cluster, options, deployment, most)
}

// everyPod is no bound on the number of pods.
const everyPod = math.MaxInt

// runSmoke runs the suite against at most that many ready pods of the Deployment, and says when it sent its requests.
func runSmoke(ctx context.Context, cluster Cluster, options Options, deployment string,
	most int) (report *smoke.Report, sent gate.Window, err error) {
	ctx, cancel := context.WithTimeout(ctx, options.SmokeTimeout)
	defer cancel()
	pods, err := cluster.ReadyPods(ctx, options.Namespace, deployment)
	if err != nil {
		return nil, sent, fmt.Errorf("find the pods of %s %s: %w", options.Track, options.Release, err)
	}
	if len(pods) == 0 {
		return nil, sent, fmt.Errorf("no pod of %s %s in %s is ready (deployment %s): see `kubectl get deployments,pods -n %s "+
			"--show-labels`",
			options.Track, options.Release, options.Namespace, deployment, options.Namespace)
	}
	var targets []smoke.Target
	for _, pod := range pods[:min(len(pods), most)] {
		client, address, closePod, err := cluster.PodClient(ctx, options.Namespace, pod.Name, options.Port)
		if err != nil {
			return nil, sent, fmt.Errorf("reach pod %s: %w", pod.Name, err)
		}
		defer closePod() //nolint:gocritic // every client is used until the suite is done
		targets = append(targets, smoke.Target{Name: pod.Name, BaseURL: address, Client: client})
	}
	sent.Start = options.Now()
	report = smoke.Run(ctx, options.Suite, targets, options.Values)
	sent.End = options.Now()
	return report, sent, nil
}

// failsToo reports whether every check that fails on the release fails on the stable track as well.
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

// needsReview reports whether the bake found something that is for a person to weigh.
func (r Report) needsReview() bool {
	return r.Bake != nil && slices.ContainsFunc(r.Bake.Results, func(result gate.Result) bool { return result.Review })
}

// smokeVerdict is Fail for a release that answers wrongly, and Error for a release that could not be checked.
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

// String is the report for the output of `pulumi up`.
func (r Report) String() string {
	text := r.Smoke.String()
	if r.Bake != nil {
		text += "\n" + r.Bake.String()
	}
	return text
}
