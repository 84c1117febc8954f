package guard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
)

// delayedAfter is the number of failed tries of one event after which people are told that a webhook does not answer.
const delayedAfter = 5

// newCourier makes what tells the rollout's webhooks; nil where there are none, or where this guard holds no keys.
func (r *runner) newCourier() *notify.Courier {
	key := r.guard.options.Key
	if r.config.Notify == nil || len(r.config.Notify.Webhooks) == 0 || key == nil {
		return nil
	}
	return notify.NewCourier(notify.Options{
		About: notify.About{
			Stack: r.config.Notify.Stack, Namespace: r.config.Spec.Namespace, App: r.config.Spec.App,
			Rollout: r.config.Notify.Rollout, DashboardURL: r.config.DashboardURL, RunbookURL: r.config.RunbookURL,
		},
		Webhooks: r.config.Notify.Webhooks,
		Sender: notify.Sender{Now: r.guard.options.Now, Key: func(_ context.Context, name string) ([]byte, error) {
			text, err := key(name)
			return []byte(text), err
		}},
		Cluster: r.guard.options.Cluster, Name: names.Notified(r.config.Spec.App), Report: r.reportDelivery,
	})
}

// deliver tells the webhooks beside the loop until the context ends. It begins when the runner before this one has kept
// how far it is; the loop waits for neither.
func (r *runner) deliver(ctx context.Context) {
	r.guard.background.Go(func() {
		defer close(r.quiet)
		if r.before != nil {
			<-r.before
		}
		r.courier.Run(ctx)
	})
}

// reportDelivery reports a try to tell a webhook. It runs beside the loop and uses nothing that belongs to it.
func (r *runner) reportDelivery(report notify.Report) {
	if report.Outcome == "" {
		r.guard.metrics.errors.WithLabelValues(r.name(), SourceNotified).Inc()
		r.log.Warn("cannot keep how far a webhook was told", "webhook", report.Host, "error", report.Err)
		return
	}
	r.guard.metrics.notifications.WithLabelValues(r.name(), report.Outcome).Inc()
	log := r.log.With("webhook", report.Host, "event", report.Event, "result", report.Outcome)
	switch report.Outcome {
	case notify.Sent:
		log.Info("told a webhook")
	case notify.Refused:
		log.Warn("a webhook refuses an event, which is not sent again", "error", report.Err)
		r.announce(context.Background(), kube.Warning, "NotificationRefused",
			fmt.Sprintf("%s; the event %s is not sent again", report.Err, report.Event))
	default:
		log.Warn("a webhook was not told", "tries", report.Tries, "error", report.Err)
		if report.Tries == delayedAfter {
			r.announce(context.Background(), kube.Warning, "NotificationDelayed",
				fmt.Sprintf("%s; the event %s and those behind it wait until the webhook answers", report.Err, report.Event))
		}
	}
}

// tellReview tells the webhooks that a person must look at a finding. The same finding has one id within an hour, also
// when another guard reports it again.
func (r *runner) tellReview(finding Finding, reason string) {
	now, image := r.now(), r.view.image()
	r.courier.Tell(notify.State{
		Name: names.EventNeedsReview, At: now, Release: r.config.Release, Image: image, Reason: reason, Who: r.guard.who(),
		Key: strings.Join([]string{string(finding.Action), finding.Cause, finding.Subject, image,
			now.UTC().Truncate(reportEvery).Format(time.RFC3339)}, "\n"),
	})
}

// tellSight tells the webhooks that the guard sees nothing of the canary, or sees it again, since a moment.
func (r *runner) tellSight(name string, since time.Time, reason string) {
	r.courier.Tell(notify.State{
		Name: name, At: r.now(), Release: r.config.Release, Image: r.view.image(), Reason: reason, Who: r.guard.who(),
		Key: since.UTC().Format(time.RFC3339Nano),
	})
}
