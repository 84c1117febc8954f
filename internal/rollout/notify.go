package rollout

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/redact"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Webhooks are the receivers of the settings, for the guard or the update that sends.
func Webhooks(s *settings.Settings) []notify.Webhook {
	var list []notify.Webhook
	for _, webhook := range s.Notify.Webhooks {
		list = append(list, notify.Webhook{URL: webhook.URL, Key: webhook.KeyName(), Events: webhook.Events})
	}
	return list
}

// once tells the webhooks of the settings; nil where there are none.
func (r *Rollout) once() *notify.Once {
	webhooks := Webhooks(r.Settings)
	if len(webhooks) == 0 {
		return nil
	}
	return &notify.Once{Webhooks: webhooks, Open: r.openSender, Warn: r.warn}
}

func (r *Rollout) warn(text string) {
	if r.Warn == nil {
		slog.Warn(text)
		return
	}
	r.Warn(text)
}

// openSender gives what is needed to send, with the keys of the webhooks.
func (r *Rollout) openSender(ctx context.Context) (notify.About, notify.Sender, error) {
	s := r.Settings
	if r.Secrets != nil {
		var err error
		if s, err = r.Secrets(ctx); err != nil {
			return notify.About{}, notify.Sender{}, fmt.Errorf("decrypt the key: %w", err)
		}
	}
	about := notify.About{
		Stack: r.Settings.StackName(), Namespace: r.Settings.Namespace, App: r.Settings.App, Rollout: r.Name,
		RunbookURL: r.Settings.RunbookURL, Redactor: redact.New(s.Revealed()),
	}
	if r.Settings.DashboardURL != "" {
		about.DashboardURL = alerts.DashboardLink(r.Settings.DashboardURL, r.Settings.DashboardUID())
	}
	keys := map[string][]byte{}
	for _, webhook := range s.Notify.Webhooks {
		value, _ := s.Secret(webhook.Secret)
		keys[webhook.KeyName()] = []byte(value.Reveal())
	}
	return about, notify.Sender{
		Now: r.Clock.Now, Transport: r.webhookTransport(),
		Key: func(_ context.Context, name string) ([]byte, error) { return keys[name], nil },
	}, nil
}

// Refused tells the webhooks that a move was refused. The ledger holds no refusal, so that the refused update or
// command reports it, with a guard and without one. The same refusal on the same ledger has one id.
func (r *Rollout) Refused(ctx context.Context, history *ledger.Ledger, image string, decision advance.Decision) {
	if decision.Allowed() || decision.RollBack {
		return
	}
	var reasons, causes []string
	for _, refusal := range decision.Refusals {
		causes = append(causes, string(refusal.Cause))
		reasons = append(reasons, fmt.Sprintf("%s: %s", refusal.Cause, refusal.Reason))
	}
	head := history.Head()
	r.once().Tell(ctx, notify.State{
		Name: names.EventRefused, At: r.Clock.Now(), Release: r.Settings.Release, Image: image,
		From: &decision.Move.From, To: &decision.Move.To, Verdict: string(decision.Verdict()),
		Reason: strings.Join(reasons, "; "), Who: r.Who,
		Key: fmt.Sprintf("%d %s %s %s %s", head.Seq, head.Sum, image, decision.Move, strings.Join(causes, ", ")),
	})
}
