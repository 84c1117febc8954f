// Package command is the guard as a command: its flags, its access to the cluster and to secrets in files, and the
// process around the watcher. The operator's command includes it, and the guard's image holds nothing else: with the
// whole command the image would be more than twice as large. The package imports no Pulumi.
package command

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/version"
)

const (
	// namespaceFile holds the namespace of the pod.
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	// drainFor is how long a rollback may continue after the signal to stop; the pod's grace period is longer.
	drainFor = 25 * time.Second
	// mostSecret bounds a file with a secret, in bytes. A login with certificates fits.
	mostSecret = 256 << 10
)

// guardFlags are the flags of the command.
type guardFlags struct {
	kubeconfig, context, namespace string
	listen, identity, lease        string
	leaderLabel, tokenFile         string
	smokeKeyFile, smokeOriginFile  string
	notifyKeys                     string
	configMaps                     []string
	prometheusLoginFile            string
	ledgerKeyFile                  string
	tlsCertFile, tlsKeyFile        string
	alertmanagerLoginFile          string
	ownLogins                      string
	dashboardTokenFile             string
	dryRun                         bool
	verbose                        bool
	page                           Page
}

// New makes the command. Usage marks an error as one of wrong usage. The page is handed in: the guard's room knows no
// command of an operator.
func New(usage func(error) error, page Page) *cobra.Command {
	flags := guardFlags{page: page}
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Watch the canaries of a namespace and take a bad one out of traffic",
		Long: `Watch the canaries of a namespace and take a bad one out of traffic.

The program deploys the guard. Run by hand, it watches the same rollouts, which it finds by
their ConfigMaps. Several guards may run: a Lease elects the leader, which acts alone. The guard
connects to the pods' addresses, so it must run in the cluster's network.`,
		Example: "  rollout guard --kubeconfig ~/.kube/config --namespace vextrus-production --dry-run",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGuard(cmd.Context(), flags, usage) },
	}
	set := cmd.Flags()
	set.StringVar(&flags.kubeconfig, "kubeconfig", "",
		"path of a kubeconfig; empty for kubectl's rules and, in a pod, its service account")
	set.StringVar(&flags.context, "context", "", "context of the kubeconfig; empty for the current one")
	set.StringVarP(&flags.namespace, "namespace", "n", "", "namespace to watch; empty for that of the pod")
	set.StringSliceVar(&flags.configMaps, "configmap", nil,
		"ConfigMap with the configuration of a rollout, may be repeated; without it, every one of the namespace that has "+
			"the label")
	set.StringVar(&flags.listen, "listen", ":8080", "address of metrics, health, webhook and page")
	set.StringVar(&flags.identity, "identity", "", "unique name of this guard; empty for the host name")
	set.StringVar(&flags.lease, "lease", "rollout-guard", "name of the Lease that elects the leader")
	set.StringVar(&flags.leaderLabel, "leader-label", "",
		"label for the pod of the leader; empty outside of a pod")
	set.StringVar(&flags.tokenFile, "webhook-token-file", "",
		"file with the bearer token of the webhook; empty for no webhook")
	set.StringVar(&flags.dashboardTokenFile, "dashboard-token-file", "",
		"file with the token of the page at "+PagePath+", which shows the rollouts; empty for no page")
	set.StringVar(&flags.smokeKeyFile, "smoke-key-file", "", "file with the key that signs the smoke suite's tokens")
	set.StringVar(&flags.smokeOriginFile, "smoke-origin-file", "", "file with an origin that CORS must allow")
	set.StringVar(&flags.notifyKeys, "notify-keys", "",
		"folder of files with the keys that sign what webhooks are told; empty to tell none")
	set.StringVar(&flags.prometheusLoginFile, "prometheus-login-file", "",
		"file with the http_config for Prometheus; empty for no login")
	set.StringVar(&flags.alertmanagerLoginFile, "alertmanager-login-file", "",
		"file with the http_config for Alertmanager; empty for no login")
	set.StringVar(&flags.ledgerKeyFile, "ledger-key-file", "",
		"file with the private key that signs the ledger; empty for none")
	set.StringVar(&flags.tlsCertFile, "tls-cert-file", "",
		"file with the certificate for --listen; empty to serve plain HTTP")
	set.StringVar(&flags.tlsKeyFile, "tls-key-file", "", "file with the key of that certificate")
	set.StringVar(&flags.ownLogins, "own-logins", "",
		"folder of files with the http_config for the addresses of the stack's own criteria; empty for no login")
	set.BoolVar(&flags.dryRun, "dry-run", false, "report rollbacks and carry none out")
	set.BoolVarP(&flags.verbose, "verbose", "v", false, "log more")
	return cmd
}

// complete derives missing flags from the host and the pod.
func (f *guardFlags) complete(usage func(error) error) error {
	if f.identity == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("read the host name: %w: set --identity", err)
		}
		f.identity = name
	}
	if f.namespace == "" {
		raw, err := os.ReadFile(namespaceFile)
		if err != nil {
			return usage(errors.New("the namespace is missing, and this is not a pod: set --namespace"))
		}
		f.namespace = strings.TrimSpace(string(raw))
	}
	return nil
}

// inPod reports whether the guard runs in the cluster, where Services have names.
func (f *guardFlags) inPod() bool {
	return f.kubeconfig == "" && os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

func runGuard(ctx context.Context, flags guardFlags, usage func(error) error) error {
	if err := flags.complete(usage); err != nil {
		return err
	}
	level := slog.LevelInfo
	if flags.verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	klog.SetSlogLogger(logger.With("component", "client-go"))
	client, err := kube.New(kube.Options{Kubeconfig: flags.kubeconfig, Context: flags.context})
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	watcher := guard.New(guard.Options{
		Identity: flags.identity, Cluster: client, Registry: registry, Logger: logger, Now: time.Now, DryRun: flags.dryRun,
		Configurations: flags.configMaps,
		Watch: func(ctx context.Context, changed func()) (guard.Objects, error) {
			return client.Watch(ctx, flags.namespace, guard.ConfigLabel, []string{guard.ConfigValue, "ledger"}, changed)
		},
		Lead: func(ctx context.Context, lead func(context.Context), standing func(string)) error {
			return client.Lead(ctx, flags.namespace, flags.lease, flags.identity, lead, standing)
		},
		Leading: func(ctx context.Context, leads bool) {
			if err := markLeader(ctx, client, flags, leads); err != nil {
				logger.Warn("cannot label the leader's pod: the webhook's Service may not find it", "error", err)
			}
		},
		Reach: flags.reach(client), OwnClient: flags.ownClient,
		Smoke: flags.smoke, Token: flags.token(), Key: flags.key(), LedgerKey: flags.ledgerKey(),
	})
	logger.Info("starting", "version", version.Get().String(), "namespace", flags.namespace, "identity", flags.identity,
		"listen", flags.listen, "dryRun", flags.dryRun)
	server := &http.Server{
		Addr: flags.listen, Handler: flags.handler(ctx, watcher.Handler(registry), watcher, client, logger),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }, // open pages end with the command
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	if server.TLSConfig, err = flags.tls(usage); err != nil {
		return err
	}
	return serveAndWatch(ctx, server, watcher)
}

// markLeader labels the guard's pod while it is the leader: the webhook's Service selects the label.
func markLeader(ctx context.Context, client *kube.Client, flags guardFlags, leads bool) error {
	pod := os.Getenv("POD_NAME")
	if flags.leaderLabel == "" || pod == "" {
		return nil
	}
	value := ""
	if leads {
		value = "true"
	}
	return client.LabelPod(ctx, flags.namespace, pod, flags.leaderLabel, value)
}

// serveAndWatch runs server and watcher until the context ends or one of them fails, and then waits for a running
// rollback.
func serveAndWatch(ctx context.Context, server *http.Server, watcher *guard.Guard) error {
	group, running := errgroup.WithContext(ctx)
	listener, err := net.Listen("tcp", server.Addr)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	if server.TLSConfig != nil {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve metrics: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		err := watcher.Run(running)
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
		defer cancel()
		watcher.Drain(drain)
		return errors.Join(err, server.Shutdown(drain))
	})
	err = group.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// token reads the webhook's token at every call, so that a new token is valid at once; nil for no webhook.
func (f *guardFlags) token() func() (string, error) {
	if f.tokenFile == "" {
		return nil
	}
	return func() (string, error) { return readSmall(f.tokenFile) }
}

// ledgerKey reads the key at every call, so that a new one is used at once; nil for no key.
func (f *guardFlags) ledgerKey() func() (string, error) {
	if f.ledgerKeyFile == "" {
		return nil
	}
	return func() (string, error) { return readSmall(f.ledgerKeyFile) }
}

// key reads the key of a webhook at every call, so that a new key is used at once; nil to tell no webhook.
func (f *guardFlags) key() func(string) (string, error) {
	if f.notifyKeys == "" {
		return nil
	}
	return func(name string) (string, error) { return readSmall(filepath.Join(f.notifyKeys, filepath.Base(name))) }
}

// smoke returns the suite of a rollout and the values that its requests need.
func (f *guardFlags) smoke(config guard.Config) (*smoke.Suite, smoke.Values, error) {
	suite, err := smoke.LoadSource(config.SmokeSuite)
	if err != nil {
		return nil, smoke.Values{}, err
	}
	key, err := readSmall(f.smokeKeyFile)
	if err != nil {
		return nil, smoke.Values{}, err
	}
	origin := config.SmokeOrigin
	if f.smokeOriginFile != "" {
		if origin, err = readSmall(f.smokeOriginFile); err != nil {
			return nil, smoke.Values{}, err
		}
	}
	tokens, err := smoke.NewTokens([]byte(key), "", time.Now())
	if err != nil {
		return nil, smoke.Values{}, err
	}
	return suite, tokens.Values(config.Environment, origin), nil
}

// readSmall reads a file with a secret; an empty name gives an empty secret.
func readSmall(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostSecret))
	return strings.TrimSpace(string(text)), err
}
