package settings

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// Notify names the webhooks that are told of the rollout's events.
type Notify struct {
	Webhooks []Webhook `json:"webhooks"`
	// Authorities is a ConfigMap and its key, as configmap/key, with the certificates of the authorities that the guard
	// trusts for https: its image holds none. Empty for none.
	Authorities string `json:"authorities"`
}

// Webhook is a receiver of CloudEvents.
type Webhook struct {
	URL string `json:"url"`
	// Secret is the HMAC key that signs what is sent.
	Secret SecretRef `json:"secret"`
	// Events are the names of the events that it gets; empty for all.
	Events []string `json:"events"`
}

// KeyName is the name under which a sender finds the webhook's key.
func (w Webhook) KeyName() string { return w.Secret.Secret + "_" + w.Secret.Key }

// SignsOnly reports whether an entry of the secrets is the key of webhooks and nothing else: no pod of the service gets
// it, and a new value of it replaces none.
func (s *Settings) SignsOnly(ref SecretRef) bool {
	signs := slices.ContainsFunc(s.notifyUses(), func(use secretUse) bool { return use.ref == ref })
	return signs && s.serviceUse(ref) == ""
}

// serviceUse is what else than a webhook needs an entry of the secrets; empty for nothing.
func (s *Settings) serviceUse(ref SecretRef) string {
	for _, use := range s.secretUses() {
		if use.ref == ref && !strings.HasPrefix(use.by, "notify.") {
			return use.by
		}
	}
	return ""
}

// notifyUses lists the references to secrets of the webhooks.
func (s *Settings) notifyUses() []secretUse {
	var uses []secretUse
	for i, webhook := range s.Notify.Webhooks {
		uses = append(uses, secretUse{fmt.Sprintf("notify.webhooks[%d].secret", i), webhook.Secret})
	}
	return uses
}

var configMapKey = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[-._a-zA-Z0-9]+$`)

func (s *Settings) validateNotify(errs *problems) {
	if len(s.Notify.Webhooks) > 0 && s.IsSingle() {
		errs.add("notify.webhooks", "", errs.remove("notify"), "a stack with strategy %q has no rollout to tell of",
			StrategySingle)
	}
	if ref := s.Notify.Authorities; ref != "" && !configMapKey.MatchString(ref) {
		errs.add("notify.authorities", ref, errs.setPath("notify.authorities", "authorities/ca.crt"),
			"allowed is configmap/key of a ConfigMap in the stack's namespace, or nothing")
	}
	seen := map[string]bool{}
	for i, webhook := range s.Notify.Webhooks {
		key := fmt.Sprintf("notify.webhooks[%d]", i)
		webhook.validate(errs, key)
		if use := s.serviceUse(webhook.Secret); use != "" {
			errs.add(key+".secret", webhook.Secret.String(), errs.setPath("'"+key+".secret'", "notify/hmac-key"),
				"%s uses it too: the receiver of the events knows this key; give the webhook one of its own", use)
		}
		if seen[webhook.URL] {
			errs.add(key+".url", shownAddress(webhook.URL), errs.remove(key), "another webhook has the same address")
		}
		seen[webhook.URL] = true
	}
}

func (w Webhook) validate(errs *problems, key string) {
	if problem := addressProblem(w.URL); problem != "" {
		errs.add(key+".url", shownAddress(w.URL), errs.setPath("'"+key+".url'", "https://events.example.com/rollout"),
			"%s", problem)
	}
	if w.Secret == (SecretRef{}) {
		errs.add(key+".secret", "", errs.setPath("'"+key+".secret'", "notify/hmac-key"),
			"missing; allowed is secret/key of the stack's secrets: it signs what is sent")
	}
	for i, event := range w.Events {
		if allowed := names.Events(); !slices.Contains(allowed, event) {
			path := fmt.Sprintf("%s.events[%d]", key, i)
			suggested := nearest(event, allowed)
			if suggested == "" {
				suggested = names.EventRolledBack
			}
			errs.add(path, event, errs.setPath("'"+path+"'", suggested), "no such event; allowed are %s",
				strings.Join(allowed, ", "))
		}
	}
}

// addressProblem is what is wrong with a webhook's address; empty for nothing. It shows no part of the address.
func addressProblem(address string) string {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		return "allowed is an https address, or an http one of a Service in the cluster, such as " +
			"http://relay.monitoring.svc:8080/events"
	case parsed.User != nil:
		return "an address with a user or a password is refused, because it stands in a ConfigMap and in previews: " +
			"the receiver checks the signature"
	case redact.Kind(address) != "":
		return "the address holds " + redact.Kind(address) + ", and it stands in a ConfigMap and in previews: give that " +
			"address to a relay, and the relay's address here"
	case parsed.Scheme == "http" && !isNear(parsed.Hostname()):
		return "http is allowed inside the cluster (NAME.NAMESPACE.svc) and on the loopback network alone: others could " +
			"read the events; use https"
	default:
		return ""
	}
}

// isNear reports whether a host is inside the cluster or on the loopback network.
func isNear(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".svc.cluster.local")
}

// shownAddress is an address without what may be secret: its user, its path and its query.
func shownAddress(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		return ""
	}
	return parsed.Scheme + "://" + parsed.Host
}
