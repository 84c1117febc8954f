package preflight

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// onTrial returns the digest of the image to roll out, empty when unknown.
func (c checker) onTrial() string {
	if _, digest, pinned := strings.Cut(c.s.Image, "@"); pinned {
		return digest
	}
	if !c.s.ImageFromStaging() {
		return c.f.Image.Digest
	}
	if history := c.f.Ledger.History; history != nil {
		if living := history.State().LivingImage(); living != "" {
			return living
		}
	}
	return c.f.Staging.Verified
}

func (c checker) staging() Row {
	r := row("staging", "pulumi up -s %s, then %s", c.s.Staging.Stack,
		c.on("pulumi config set image \"$(pulumi stack output verifiedImage -s %s)\"", c.s.Staging.Stack))
	switch digest := c.onTrial(); {
	case !c.s.Staging.Required:
		return r.is(Skipped, "config staging.required is false: the image needs no verification")
	case c.f.Staging.Err != nil:
		return r.unseen(c.f.Staging.Err)
	case digest == "" && !c.s.ImageFromStaging():
		return r.unseen(fmt.Errorf("the digest of the image is unknown"))
	case c.f.Staging.Verified == "":
		return r.is(Failed, "stack %s has verified no image", c.s.Staging.Stack)
	case c.f.Staging.Verified != digest:
		return r.is(Failed, "stack %s has verified %s, and the image is %s", c.s.Staging.Stack, c.f.Staging.Verified, digest)
	default:
		return r.is(OK, "stack %s has verified %s", c.s.Staging.Stack, digest)
	}
}

// history reports whether the ledger could be read.
func (c checker) history(r Row) (Row, bool) {
	r, ok := c.within(r)
	switch {
	case !ok:
		return r, false
	case c.f.Ledger.Err != nil:
		return r.unseen(c.f.Ledger.Err), false
	default:
		return r, true
	}
}

func (c checker) latch() Row {
	r, ok := c.history(row("latch", "set another image, or once the cause is fixed: %s",
		c.on("rollout unlatch --reason WHY")))
	if !ok {
		return r
	}
	digest := c.onTrial()
	if digest == "" {
		return r.unseen(fmt.Errorf("the digest of the image is unknown"))
	}
	if latch, engaged := c.f.Ledger.History.State().Latch(digest); engaged {
		return r.is(Failed, "the image was rolled back at %s by %s: %s", latch.Time.UTC().Format(time.RFC3339), latch.Who,
			latch.Reason)
	}
	return r.is(OK, "the image has no latch")
}

// stable checks that there is a version to roll back to, and that the settings name it.
func (c checker) stable() Row {
	r, ok := c.history(row("stable version", "%s, with the digest that runs now",
		c.on("pulumi config set stableImage REPOSITORY@sha256:…")))
	if !ok {
		return r
	}
	recorded := c.f.Ledger.History.State().Stable
	_, configured, pinned := strings.Cut(c.s.StableImage, "@")
	if !pinned {
		configured = c.f.StableImage.Digest
	}
	switch {
	case recorded == "" && configured == "":
		return r.is(Failed, "neither the ledger nor the stack names one by digest")
	case recorded == "":
		return r.is(OK, "%s, from the stack; nothing is rolled out yet", configured)
	case configured == "":
		return r.unseen(fmt.Errorf("the ledger has %s; the stack's stable image could not be resolved", recorded))
	case recorded != configured && configured == c.f.Ledger.History.State().Image:
		return r.is(OK, "%s, from the ledger; the stack names the image on trial, which becomes stable with a finish",
			recorded)
	case recorded != configured:
		return r.is(Failed, "the ledger has %s, but the stack names %s", recorded, configured)
	default:
		return r.is(OK, "%s, from the ledger and the stack", configured)
	}
}

// capacity checks that the nodes have room for the canary's further pods: the canary grows before stable shrinks.
func (c checker) capacity() Row {
	r, ok := c.within(row("capacity", "add nodes, lower the requests: %s, or begin with a smaller weight",
		c.on("pulumi config set --path resources.requests.cpu VALUE")))
	if !ok {
		return r
	}
	more := c.s.Position().Canary - c.f.Capacity.Canary
	pods, err := c.s.Pods(names.Canary)
	if err != nil {
		return r.unseen(err)
	}
	cpu, memory := podstate.Requests(pods)
	asks := fmt.Sprintf("%s CPU and %s", &cpu, &memory)
	switch {
	case more <= 0:
		return r.is(OK, "the canary already has its %d pods", c.s.Position().Canary)
	case c.f.Capacity.Err != nil:
		return r.unseen(c.f.Capacity.Err)
	}
	room := 0
	for _, node := range c.f.Capacity.Nodes {
		room += fits(node, cpu.MilliValue(), memory.Value())
	}
	if room < more {
		return r.is(Failed, "room for %d pods with %s on %d nodes; the canary needs %d more", room, asks,
			len(c.f.Capacity.Nodes), more)
	}
	return r.is(OK, "room for %d pods with %s on %d nodes; the canary needs %d more", room, asks, len(c.f.Capacity.Nodes),
		more)
}

// fits returns the number of pods that fit on a node.
func fits(node Node, cpu, memory int64) int {
	count := int64(max(node.Pods, 0))
	if cpu > 0 {
		count = min(count, max(node.CPU, 0)/cpu)
	}
	if memory > 0 {
		count = min(count, max(node.Memory, 0)/memory)
	}
	return int(count)
}

func (c checker) rehearsal() Row {
	r, ok := c.history(row("rollback rehearsal", "%s", c.on("rollout rehearse")))
	if !ok {
		return r
	}
	last, ok := c.f.Ledger.History.Rehearsal()
	limit := time.Duration(c.s.Preflight.RehearsalAge)
	if !ok {
		return r.is(Failed, "no rollback was rehearsed yet")
	}
	age := c.f.Now.Sub(last.Time)
	text := fmt.Sprintf("%s ago in %s: %s, out of traffic after %v", ago(age), last.Stack, last.Verdict,
		time.Duration(last.Took)*time.Millisecond)
	switch {
	case last.Verdict != "pass":
		return r.is(Failed, "%s", text)
	case age > limit:
		return r.is(Failed, "%s; it must be at most %s old", text, ago(limit))
	default:
		return r.is(OK, "%s", text)
	}
}

// backup checks the last success of the configured job, or an attestation when none is configured.
func (c checker) backup(name, attestation, field, configured string, job Job) Row {
	limit := time.Duration(c.s.Preflight.BackupAge)
	if configured == "" {
		attested := c.attested(name, attestation)
		if attested.State == Failed {
			attested.Fix += fmt.Sprintf("; or configure its CronJob: %s",
				c.on("pulumi config set --path preflight.%s NAMESPACE/NAME",
					field))
		}
		return attested
	}
	namespace, object, _ := strings.Cut(configured, "/")
	r, ok := c.within(row(name, "kubectl get cronjobs,jobs -n %s; kubectl create job --from=cronjob/%s %s-now -n %s",
		namespace, object, object, namespace))
	switch age := c.f.Now.Sub(job.Succeeded); {
	case !ok:
		return r
	case job.Err != nil:
		return r.unseen(job.Err)
	case !job.Exists:
		return r.is(Failed, "there is no CronJob or Job %s", configured)
	case job.Succeeded.IsZero():
		return r.is(Failed, "%s never succeeded", configured)
	case age > limit:
		return r.is(Failed, "%s succeeded last %s ago; it must be at most %s old", configured, ago(age), ago(limit))
	default:
		return r.is(OK, "%s succeeded %s ago", configured, ago(age))
	}
}

// attested checks that a person vouches for something, and still does.
func (c checker) attested(name, attestation string) Row {
	r, ok := c.history(row(name, "%s", c.on("rollout attest %s --ref WHERE --note WHAT --until 30d", attestation)))
	if !ok {
		return r
	}
	entry, exists := c.f.Ledger.History.Attestation(attestation)
	switch {
	case !exists:
		return r.is(Failed, "nobody has attested %s", attestation)
	case !entry.Holds(c.f.Now):
		return r.is(Failed, "%s attested it until %s: %s", entry.Author(), untilOf(entry), about(entry))
	default:
		return r.is(OK, "%s attests it until %s: %s", entry.Author(), untilOf(entry), about(entry))
	}
}

func untilOf(entry ledger.Entry) string {
	if entry.Until == nil {
		return "further notice"
	}
	return entry.Until.UTC().Format(time.DateOnly)
}

// about returns the reference and the note of an attestation.
func about(entry ledger.Entry) string {
	if entry.Reason == "" {
		return entry.Link
	}
	return entry.Link + " (" + entry.Reason + ")"
}

// ago formats an age in its largest units.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
}
