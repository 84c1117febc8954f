package preflight

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Without a pinned image the one on trial is what the registry has, or what staging has verified.
func TestTheImageOnTrial(t *testing.T) {
	byTag := map[string]string{"image": "registry.example/vextrus/finance:2", "stableImage": "registry.example/finance:1"}
	fromStaging := map[string]string{"image": "", "staging": `{"required":true,"stack":"acme/shop/staging"}`}
	const another = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	for name, tt := range map[string]struct {
		stack  map[string]string
		change func(*Facts)
		row    string
		state  State
		words  string
	}{
		"a tag that the registry resolves": {byTag, nil, "staging", OK, "has verified " + onTrial},
		"a tag that means another image": {byTag, func(f *Facts) { f.Image.Digest = another }, "staging", Failed,
			"and the image is " + another},
		"a tag, and no registry": {byTag, func(f *Facts) { f.Image = Image{Err: errors.New("timeout")} }, "staging", Unknown,
			"the digest of the image is unknown"},
		"a tag, no registry, and a latch": {byTag, func(f *Facts) { f.Image = Image{Err: errors.New("timeout")} }, "latch",
			Unknown, "the digest of the image is unknown"},
		"a stable tag, and no registry": {byTag, func(f *Facts) { f.StableImage = Image{Err: errors.New("timeout")} },
			"stable version", Unknown, "the ledger has " + stable + "; the stack's stable image could not be resolved"},
		"a first stable version": {nil, func(f *Facts) { f.Ledger.History = history(t) }, "stable version", OK,
			stable + ", from the stack; nothing is rolled out yet"},
		"the image of staging": {fromStaging, nil, "image", Skipped, "the image that stack acme/shop/staging has verified"},
		"the image of staging before an entry": {fromStaging, func(f *Facts) {
			f.Ledger.History, f.Staging.Verified = history(t), another
		}, "staging", OK, "has verified " + another},
		"the image of staging is latched": {fromStaging, func(f *Facts) {
			f.Ledger.History = history(t, ledger.Entry{Kind: ledger.RollbackBegun, Who: "guard/a", Image: onTrial,
				Reason: "bad"})
		}, "latch", Failed, "by guard/a: bad"},
		"a release on trial, and staging is ahead": {fromStaging, func(f *Facts) {
			f.Ledger.History = history(t, ledger.Entry{Kind: ledger.ShiftReached, Release: "week1", Image: onTrial,
				Stable: stable, To: 10})
			f.Staging.Verified = another
		}, "staging", Failed, "has verified " + another + ", and the image is " + onTrial},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack(t, tt.stack)
			facts := inOrder(t, s)
			if tt.change != nil {
				tt.change(&facts)
			}
			expectRow(t, Check(s, facts), tt.row, tt.state, tt.words)
		})
	}
}

func TestAnswersThatAreMissing(t *testing.T) {
	gone := errors.New("too many\n samples")
	job := map[string]string{"preflight": `{"databaseBackup":"data/postgres-backup"}`}
	for name, tt := range map[string]struct {
		stack  map[string]string
		change func(*settings.Settings, *Facts)
		row    string
		state  State
		words  string
	}{
		"no right was asked for": {nil, func(_ *settings.Settings, f *Facts) { f.Permissions = nil }, "permissions", Unknown,
			"none was checked"},
		"a secret that was not read": {nil, func(_ *settings.Settings, f *Facts) {
			delete(f.Secrets, "finance-db-production")
		}, "secret finance-db-production", Unknown, "it was not read"},
		"an image that was not asked for": {nil, func(_ *settings.Settings, f *Facts) { f.Image = Image{} }, "image", Unknown,
			"the registry was not asked for registry.example/vextrus/finance@" + onTrial},
		"no image at all": {map[string]string{"staging": `{"required":false}`}, func(s *settings.Settings, _ *Facts) {
			s.Image = ""
		}, "image", Failed, "config image is empty"},
		"no Prometheus": {nil, func(s *settings.Settings, _ *Facts) { s.Prometheus = "" }, "prometheus", Failed,
			"the gates have no metrics"},
		"targets of no Prometheus": {nil, func(s *settings.Settings, _ *Facts) { s.Prometheus = "" }, "targets", Unknown,
			"Prometheus does not answer"},
		"targets": {nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.TargetsErr = gone }, "targets", Unknown,
			"too many samples"},
		"rules": {nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.RulesErr = gone }, "rules", Unknown,
			"too many samples"},
		"metrics": {nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.MetricsErr = gone }, "metrics", Unknown,
			"too many samples"},
		"Alertmanagers": {nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.AlertmanagersErr = gone }, "alertmanager",
			Unknown, "too many samples"},
		"a track of which no pod is up": {nil, func(_ *settings.Settings, f *Facts) {
			f.Prometheus.Up, f.Prometheus.Down = map[string]int{"stable": 9}, map[string]int{"canary": 1}
		}, "targets", Failed, "stable: 9 up, 0 down; canary: 0 up, 1 down"},
		"no series with the stack's own labels": {map[string]string{"metrics": `{"selector":{"job":"pay","env":"p"}}`},
			func(_ *settings.Settings, f *Facts) { f.Prometheus.Statuses = nil }, "metrics", Failed,
			"within the last day, with env=p, job=pay"},
		"no Grafana at the address": {nil, func(_ *settings.Settings, f *Facts) {
			f.Grafana.Err = errors.New("no such host")
		}, "grafana", Failed, "https://grafana.example/d/finance-week1 is unreachable: no such host"},
		"a sick Grafana": {nil, func(_ *settings.Settings, f *Facts) { f.Grafana.Status = 502 }, "grafana", Failed,
			"answers with status 502"},
		"a guard without an Alertmanager": {map[string]string{"guard": "{}"}, func(_ *settings.Settings, f *Facts) {
			f.Alertmanager = Reached{}
		}, "alertmanager", OK, "sends its alerts to Alertmanager (1 active)"},
		"a backup without a cluster": {job, func(_ *settings.Settings, f *Facts) { f.Cluster.Err = gone }, "database backup",
			Unknown, "the cluster does not answer"},
		"a backup of just now": {job, func(_ *settings.Settings, f *Facts) {
			f.DatabaseBackup = Job{Exists: true, Succeeded: now.Add(-7 * time.Minute)}
		}, "database backup", OK, "succeeded 7 min ago"},
		"an attestation without an end and a note": {nil, func(_ *settings.Settings, f *Facts) {
			f.Ledger.History = history(t, ledger.Entry{Kind: ledger.Attested, Who: "anna", Name: "sign-off",
				Link: "https://wiki.example/go"})
		}, "sign-off", OK, "anna attests it until further notice: https://wiki.example/go"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack(t, tt.stack)
			facts := inOrder(t, s)
			tt.change(s, &facts)
			expectRow(t, Check(s, facts), tt.row, tt.state, tt.words)
		})
	}
}

// The image of a stack that builds it does not exist before the update.
func TestABuiltImageIsNotLookedFor(t *testing.T) {
	s := stack(t, map[string]string{"strategy": "single", "stableImage": "", "guard": "{}",
		"image": "registry.example/vextrus/finance:2", "build": `{"context":"../finance"}`})
	facts := inOrder(t, s)
	facts.Image = Image{Err: errors.New("registry does not have it")}
	expectRow(t, Check(s, facts), "image", Skipped, "pulumi up builds it from ../finance")
}

// A long list is cut, and says by how much. Rights are written as kubectl writes them.
func TestMissingRightsAreNamedUpToSix(t *testing.T) {
	s := stack(t, nil)
	facts := inOrder(t, s)
	denied := 0
	for i := range facts.Permissions {
		if facts.Permissions[i].Group == "apps" {
			facts.Permissions[i].Allowed = false
			denied++
		}
	}
	got := find(t, Check(s, facts), "permissions")
	for _, words := range []string{"get deployments.apps in vextrus-production (for pulumi up)", " and 5 more"} {
		if !strings.Contains(got.Found, words) {
			t.Errorf("%q, want %q: %d are denied", got.Found, words, denied)
		}
	}
	if named := strings.Count(got.Found, " in vextrus-production (for "); named != 6 {
		t.Errorf("%d are named: %s", named, got.Found)
	}
}

// A stack behind a Gateway needs the rights for it where the Gateway is.
func TestRightsOfAGateway(t *testing.T) {
	s := stack(t, map[string]string{"traffic": "gateway",
		"gateway": `{"name":"web","namespace":"edge","hostnames":["finance.example"]}`})
	want := Access{Verb: "get", Group: "gateway.networking.k8s.io", Resource: "gateways", Namespace: "edge",
		For: "traffic through a Gateway"}
	if list := Needed(s); !slices.Contains(list, want) {
		t.Errorf("%+v is not among %+v", want, list)
	}
}

func TestCount(t *testing.T) {
	list := Checklist{Rows: []Row{{State: OK}, {State: Failed}, {State: OK}, {State: Unknown}}}
	for state, want := range map[State]int{OK: 2, Failed: 1, Unknown: 1, Skipped: 0} {
		if got := list.Count(state); got != want {
			t.Errorf("%d are %s, want %d", got, state, want)
		}
	}
}
