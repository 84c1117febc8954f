package preflight

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/golden"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const (
	onTrial = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	stable  = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

func TestAllInOrder(t *testing.T) {
	s := stack(t, nil)
	list := Check(s, inOrder(t, s))
	for _, row := range list.Rows {
		if row.State != OK || row.Found == "" || row.Fix != "" {
			t.Errorf("%+v", row)
		}
	}
	if list.State() != OK || len(list.Rows) != 25 {
		t.Errorf("%s, %d rows", list.State(), len(list.Rows))
	}
}

func TestWhatIsNotInOrder(t *testing.T) {
	forbidden := errors.New("forbidden:\n you may not")
	job := map[string]string{"preflight": `{"databaseBackup":"data/postgres-backup"}`}
	for _, tt := range []struct {
		name   string
		stack  map[string]string
		change func(*settings.Settings, *Facts)
		row    string
		state  State
		words  string
	}{
		{"no cluster", nil, func(_ *settings.Settings, f *Facts) { f.Cluster.Err = errors.New("connection refused") },
			"cluster", Failed, "connection refused"},
		{"rows without a cluster", nil, func(_ *settings.Settings, f *Facts) { f.Cluster.Err = forbidden }, "capacity",
			Unknown, "the cluster does not answer"},
		{"old cluster", nil, func(_ *settings.Settings, f *Facts) { f.Cluster.Version = "v1.29.9-eks-1" }, "cluster", Failed,
			"1.30 or newer"},
		{"newest old cluster", nil, func(_ *settings.Settings, f *Facts) { f.Cluster.Version = "v1.30.0" }, "cluster", OK,
			"v1.30.0"},
		{"odd version", nil, func(_ *settings.Settings, f *Facts) { f.Cluster.Version = "new" }, "cluster", Unknown, `"new"`},
		{"missing right", nil, func(_ *settings.Settings, f *Facts) { f.Permissions[7].Allowed = false }, "permissions",
			Failed, "1 of 100 are missing"},
		{"right that nobody tells", nil, func(_ *settings.Settings, f *Facts) { f.Permissions[0].Err = forbidden },
			"permissions", Unknown, "1 of 100 could not be checked: get namespaces/vextrus-production cluster-wide"},
		{"no namespace yet", nil, func(_ *settings.Settings, f *Facts) { f.Namespace = Namespace{} }, "namespace", OK,
			"pulumi up creates it"},
		{"somebody's namespace", nil, func(_ *settings.Settings, f *Facts) { f.Namespace.Owner = "other/production" },
			"namespace", Failed, "belongs to other/production"},
		{"nobody's namespace", nil, func(_ *settings.Settings, f *Facts) { f.Namespace.Owner = "" }, "namespace", Failed,
			"belongs to no stack"},
		{"namespace not seen", nil, func(_ *settings.Settings, f *Facts) { f.Namespace.Err = forbidden }, "namespace",
			Unknown, "forbidden: you may not"},
		{"missing key", nil, func(_ *settings.Settings, f *Facts) {
			delete(f.Secrets["finance-db-production"].Keys,
				"password")
		}, "secret finance-db-production", Failed, "its keys password are missing"},
		{"placeholder", nil, func(_ *settings.Settings, f *Facts) {
			f.Secrets["finance-db-production"].Keys["password"] = KeyPlaceholder
		}, "secret finance-db-production", Failed, "password (placeholder)"},
		{"empty", nil, func(_ *settings.Settings, f *Facts) {
			f.Secrets["finance-secrets-production"].Keys["jwt-secret"] = KeyEmpty
		}, "secret finance-secrets-production", Failed, "jwt-secret (empty)"},
		{"secret gone", nil, func(_ *settings.Settings, f *Facts) { f.Secrets["finance-db-production"] = Secret{} },
			"secret finance-db-production", Failed, "the cluster does not have it, but the stack has its keys"},
		{"secret not seen", nil, func(_ *settings.Settings,
			f *Facts) {
			f.Secrets["finance-db-production"] = Secret{Err: forbidden}
		}, "secret finance-db-production", Unknown,
			"forbidden"},
		{"secret of a first rollout", nil, func(_ *settings.Settings, f *Facts) { f.Namespace = Namespace{} },
			"secret finance-db-production", OK, "the stack has its 3 keys"},
		{"secret nowhere", nil, func(s *settings.Settings, f *Facts) {
			f.Namespace = Namespace{}
			delete(s.Secrets["finance-db"], "host")
		}, "secret finance-db-production", Failed, "the stack lacks its keys host"},
		{"secret of somebody else gone", nil, func(s *settings.Settings, f *Facts) {
			s.ExistingEnv = map[string]settings.SecretRef{"TOKEN": {Secret: "vault-db", Key: "token"}}
			f.Secrets["vault-db"] = Secret{}
		}, "secret vault-db", Failed, "existingSecretEnv takes variables from it"},
		{"secret of somebody else before a first rollout", nil, func(s *settings.Settings, f *Facts) {
			s.ExistingEnv = map[string]settings.SecretRef{"TOKEN": {Secret: "vault-db", Key: "token"}}
			f.Namespace = Namespace{}
		}, "secret vault-db", Failed, "existingSecretEnv takes variables from it"},
		{"secret of somebody else", nil, func(s *settings.Settings, f *Facts) {
			s.ExistingEnv = map[string]settings.SecretRef{"TOKEN": {Secret: "vault-db", Key: "token"}}
			f.Secrets["vault-db"] = Secret{Exists: true, Keys: map[string]string{"token": KeySet}}
		}, "secret vault-db", OK, "token"},
		{"image gone", nil, func(_ *settings.Settings,
			f *Facts) {
			f.Image = Image{Err: errors.New("registry does not have it")}
		}, "image", Failed, "does not have it"},
		{"stable image gone", nil, func(_ *settings.Settings, f *Facts) { f.StableImage = Image{Err: forbidden} },
			"stable image", Failed, "forbidden"},
		{"Prometheus gone", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Err = errors.New("connection refused") },
			"prometheus", Failed, "connection refused"},
		{"rows without Prometheus", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Err = forbidden }, "metrics",
			Unknown, "Prometheus does not answer"},
		{"nothing scraped", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Up = nil }, "targets", Failed,
			"Prometheus scrapes no pod of finance-service in vextrus-production"},
		{"a pod not scraped", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Down = map[string]int{"canary": 1} },
			"targets", Failed, "canary: 1 up, 1 down; stable: 9 up, 0 down"},
		{"targets of a first rollout", nil, func(_ *settings.Settings,
			f *Facts) {
			f.Namespace = Namespace{}
			f.Prometheus.Up = nil
		}, "targets", Skipped, "nothing is rolled out yet"},
		{"rules not loaded", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Groups = f.Prometheus.Groups[:1] },
			"rules", Failed, "finance-service-production.alerts"},
		{"broken rule", nil, func(_ *settings.Settings,
			f *Facts) {
			f.Prometheus.Broken = []string{"CanaryRestarts: many-to-many"}
		}, "rules", Failed, "many-to-many"},
		{"no rules wanted", map[string]string{"monitoring": `{"enabled":false}`}, nil, "rules", Skipped, "managed elsewhere"},
		{"no counter", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Statuses = nil }, "metrics", Failed,
			"http_requests_total with a label code"},
		{"status in words", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Statuses = []string{"ok", "error"} },
			"metrics", Failed, "ok, error"},
		{"no histogram", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Bounds = nil }, "metrics", Failed,
			"http_request_duration_seconds_bucket"},
		{"a native histogram", nil, func(_ *settings.Settings, f *Facts) {
			f.Prometheus.Bounds, f.Prometheus.Native = nil, []string{"http_request_duration_seconds"}
		}, "metrics", Failed, "keeps http_request_duration_seconds as native histograms alone"},
		{"a native histogram in a classic scrape", nil, func(_ *settings.Settings, f *Facts) {
			f.Prometheus.Bounds = []string{"+Inf"}
		}, "metrics", Failed, "no bucket but +Inf, as a native histogram"},
		{"no bucket at the limit", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Bounds = []string{"0.1", "1"} },
			"metrics", OK, "no bucket at the limit of 500ms"},
		{"probes", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Requests, f.Prometheus.Customers = 1000, 430 },
			"metrics", OK, "57 % of the requests of the last day were probes and scrapes"},
		{"nothing but probes", nil, func(_ *settings.Settings, f *Facts) {
			f.Prometheus.Requests, f.Prometheus.Customers = 1000, 0
		}, "metrics", OK, "no customer requests within the last day"},
		{"few requests", nil, func(_ *settings.Settings, f *Facts) {
			f.Prometheus.Requests, f.Prometheus.Customers = 900, 900
		}, "traffic", Failed, "a soak of 2d at 10 % will see about 180 requests, and the error rate needs"},
		{"no requests", nil, func(_ *settings.Settings, f *Facts) {
			f.Prometheus.Requests, f.Prometheus.Customers = 0, 0
		}, "traffic", Skipped, "nothing to expect"},
		{"alerts for nobody", nil, func(_ *settings.Settings, f *Facts) { f.Prometheus.Alertmanagers = nil }, "alertmanager",
			Failed, "no Alertmanager to send"},
		{"guard's alertmanager gone", nil, func(_ *settings.Settings,
			f *Facts) {
			f.Alertmanager.Err = errors.New("no endpoints")
		}, "alertmanager", Failed, "no endpoints"},
		{"no dashboard", nil, func(_ *settings.Settings, f *Facts) { f.Grafana.Status = 404 }, "grafana", Failed,
			"no dashboard finance-week1"},
		{"no dashboard yet", nil, func(_ *settings.Settings, f *Facts) { f.Grafana.Status, f.Namespace = 404, Namespace{} },
			"grafana", OK, "pulumi up creates dashboard"},
		{"Grafana wants a login", nil, func(_ *settings.Settings, f *Facts) { f.Grafana.Status = 401 }, "grafana", Unknown,
			"without a login"},
		{"no Grafana", map[string]string{"dashboardURL": ""}, func(_ *settings.Settings, f *Facts) { f.Grafana = Reached{} },
			"grafana", Skipped, "no Grafana"},
		{"no collector", nil, func(_ *settings.Settings, f *Facts) { f.OTLP.Err = errors.New(`services "signoz" not found`) },
			"otlp endpoint", Failed, `services "signoz" not found`},
		{"sick collector", nil, func(_ *settings.Settings, f *Facts) { f.OTLP.Status = 503 }, "otlp endpoint", Failed,
			"status 503"},
		{"no traces", map[string]string{"env": "{}"}, func(_ *settings.Settings, f *Facts) { f.OTLP = Reached{} },
			"otlp endpoint", Skipped, "no traces"},
		{"staging has another", nil, func(_ *settings.Settings, f *Facts) { f.Staging.Verified = stable }, "staging", Failed,
			"has verified " + stable},
		{"staging has none", nil, func(_ *settings.Settings, f *Facts) { f.Staging.Verified = "" }, "staging", Failed,
			"verified no image"},
		{"staging not seen", nil, func(_ *settings.Settings, f *Facts) { f.Staging = Staging{Err: forbidden} }, "staging",
			Unknown, "forbidden"},
		{"without staging", map[string]string{"staging": `{"required":false}`}, nil, "staging", Skipped,
			"staging.required is false"},
		{"latched", nil, func(_ *settings.Settings, f *Facts) {
			f.Ledger.History = history(t, append(usual[:1:1], ledger.Entry{Kind: ledger.RollbackBegun, Who: "guard/a",
				Image: onTrial, Reason: "33 % failed"})...)
		}, "latch", Failed, "by guard/a: 33 % failed"},
		{"ledger not seen", nil, func(_ *settings.Settings, f *Facts) { f.Ledger = Ledger{Err: forbidden} }, "stable version",
			Unknown, "forbidden"},
		{"no stable version", map[string]string{"stableImage": "registry.example/vextrus/finance:1"},
			func(_ *settings.Settings, f *Facts) {
				f.Ledger.History, f.StableImage = history(t), Image{Err: forbidden}
			}, "stable version", Failed, "neither the ledger nor the stack"},
		{"another stable version", nil, func(_ *settings.Settings, f *Facts) {
			f.Ledger.History = history(t, ledger.Entry{Kind: ledger.ShiftBegun, Stable: "sha256:2222", To: 10})
		}, "stable version", Failed, "the ledger has sha256:2222"},
		{"finish", map[string]string{"stableImage": "registry.example/vextrus/finance@" + onTrial},
			func(_ *settings.Settings, f *Facts) {
				f.Ledger.History = history(t, ledger.Entry{Kind: ledger.ShiftReached, Release: "week1", Image: onTrial,
					Stable: stable, To: 100})
			}, "stable version", OK, stable + ", from the ledger; the stack names the image on trial"},
		{"no room", nil, func(_ *settings.Settings, f *Facts) { f.Capacity.Nodes = f.Capacity.Nodes[1:] }, "capacity", Failed,
			"room for 0 pods with 500m CPU and 1Gi on 1 nodes; the canary needs 1 more"},
		{"full of pods", nil, func(_ *settings.Settings, f *Facts) { f.Capacity.Nodes = []Node{{"a", 9000, 1 << 40, 0}} },
			"capacity", Failed, "room for 0 pods"},
		{"room not seen", nil, func(_ *settings.Settings, f *Facts) { f.Capacity.Err = forbidden }, "capacity", Unknown,
			"forbidden"},
		{"room not needed", nil, func(_ *settings.Settings, f *Facts) { f.Capacity = Capacity{Canary: 1, Err: forbidden} },
			"capacity", OK, "already has its 1 pods"},
		{"nno rollback was rehearsed yet", nil, func(_ *settings.Settings,
			f *Facts) {
			f.Ledger.History = history(t, usual[0])
		},
			"rollback rehearsal", Failed, "no rollback was rehearsed yet"},
		{"rehearsed long ago", nil, func(_ *settings.Settings, f *Facts) { f.Now = now.Add(60 * 24 * time.Hour) },
			"rollback rehearsal", Failed, "61 days ago in staging: pass, out of traffic after 1.312s; it must be at most " +
				"30 days old"},
		{"rehearsed in vain", nil, func(_ *settings.Settings, f *Facts) {
			f.Ledger.History = history(t, ledger.Entry{Kind: ledger.Rehearsed, Stack: "staging", Took: 9000, Verdict: "fail"})
		}, "rollback rehearsal", Failed, "fail, out of traffic after 9s"},
		{"nobody vouches", nil, func(_ *settings.Settings, f *Facts) { f.Ledger.History = history(t, usual[:2]...) },
			"security audit", Failed, "nobody has attested security-audit"},
		{"vouched for too long ago", nil, func(_ *settings.Settings, f *Facts) { f.Now = now.Add(30 * 24 * time.Hour) },
			"security audit", Failed, "anna attested it until 2026-03-09"},
		{"backup by its job", job, func(_ *settings.Settings, f *Facts) {
			f.DatabaseBackup = Job{Exists: true, Succeeded: now.Add(-90 * time.Minute)}
		}, "database backup", OK, "data/postgres-backup succeeded 1 h 30 min ago"},
		{"old backup", job, func(_ *settings.Settings, f *Facts) {
			f.DatabaseBackup = Job{Exists: true, Succeeded: now.Add(-50 * time.Hour)}
		}, "database backup", Failed, "2 days ago; it must be at most 24 h 0 min old"},
		{"backup that never succeeded", job, func(_ *settings.Settings, f *Facts) { f.DatabaseBackup = Job{Exists: true} },
			"database backup", Failed, "never succeeded"},
		{"no such backup", job, nil, "database backup", Failed, "no CronJob or Job data/postgres-backup"},
		{"backup not seen", job, func(_ *settings.Settings, f *Facts) { f.DatabaseBackup.Err = forbidden }, "database backup",
			Unknown, "forbidden"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := stack(t, tt.stack)
			facts := inOrder(t, s)
			if tt.change != nil {
				tt.change(s, &facts)
			}
			expectRow(t, Check(s, facts), tt.row, tt.state, tt.words)
		})
	}
}

// expectRow fails the test unless the row has the state and the words, a fix where there is something to do, and its
// weight in the state of the whole.
func expectRow(t *testing.T, list Checklist, row string, state State, words string) {
	t.Helper()
	got := find(t, list, row)
	if got.State != state || !strings.Contains(got.Found, words) {
		t.Errorf("%+v, want %s with %q", got, state, words)
	}
	if needsFix := got.State == Failed || got.State == Unknown; needsFix != (got.Fix != "") {
		t.Errorf("how to fix: %+v", got)
	}
	if state == Failed && list.State() != Failed || state == Unknown && list.State() == OK {
		t.Errorf("the whole is %s", list.State())
	}
}

// Whatever could not be looked at, no row says that it is in order, and none panics.
func TestNothingKnownIsNothingInOrder(t *testing.T) {
	for _, changes := range []map[string]string{nil, {"strategy": "single", "stableImage": "", "guard": "{}"}} {
		s := stack(t, changes)
		for name, facts := range map[string]Facts{
			"nothing": {Now: now, Stack: "production", Ledger: Ledger{Err: io.EOF}, Namespace: Namespace{Err: io.EOF},
				Cluster: Cluster{Err: io.EOF}, Prometheus: Prometheus{Err: io.EOF}},
			"no cluster": {Now: now, Stack: "production", Cluster: Cluster{Err: io.EOF}},
		} {
			for _, row := range Check(s, facts).Rows {
				if row.State == OK {
					t.Errorf("%s: %+v", name, row)
				}
			}
		}
	}
}

func TestAStackWithOneTrack(t *testing.T) {
	s := stack(t, map[string]string{"strategy": "single", "stableImage": "", "guard": "{}"})
	for _, row := range Check(s, inOrder(t, s)).Rows {
		if slices.Contains([]string{"staging", "latch", "capacity", "rollback rehearsal", "stable image"}, row.Name) {
			t.Errorf("a row that is about canaries: %+v", row)
		}
	}
}

func TestFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		node := Node{CPU: rapid.Int64Range(-500, 8000).Draw(t, "cpu"), Memory: rapid.Int64Range(-5, 1<<33).Draw(t, "memory"),
			Pods: rapid.IntRange(-1, 20).Draw(t, "pods")}
		cpu, memory := rapid.Int64Range(0, 2000).Draw(t, "asks cpu"), rapid.Int64Range(0, 1<<31).Draw(t, "asks memory")
		count := int64(fits(node, cpu, memory))
		if count < 0 || count > int64(max(node.Pods, 0)) || count*cpu > max(node.CPU, 0) ||
			count*memory > max(node.Memory, 0) {
			t.Fatalf("%d pods of %d and %d on %+v", count, cpu, memory, node)
		}
		if more := count + 1; count < int64(node.Pods) && more*cpu <= max(node.CPU, 0) && more*memory <= max(node.Memory, 0) {
			t.Fatalf("one more than %d finds room on %+v", count, node)
		}
	})
}

// The checklist of a first deployment without any permission, as a program prints it.
func TestGolden(t *testing.T) {
	s := stack(t, map[string]string{"preflight": `{"databaseBackup":"data/postgres-backup"}`})
	facts := inOrder(t, s)
	facts.Ledger.History = history(t, usual[:2]...)
	facts.Permissions[3].Allowed, facts.Permissions[9].Allowed = false, false
	facts.Capacity.Err = errors.New("nodes is forbidden")
	facts.Staging.Verified = stable
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range Check(s, facts).Rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", row.Name, row.State, row.Found, row.Fix)
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "checklist.txt", text.String())
}
