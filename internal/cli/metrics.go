package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/propose"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// metricsFlags are the flags of rollout metrics.
type metricsFlags struct {
	common
	pod                     string
	port                    int
	path                    string
	kubeconfig, kubeContext string
}

func metricsCommand() *cobra.Command {
	var flags metricsFlags
	cmd := &cobra.Command{
		Use:   "metrics [FILE]",
		Short: "Propose the settings by which a service's requests are counted",
		Long: "Read a page of metrics and propose the settings metrics and criteria.latency: which counter has the\n" +
			"requests, which label the status, which histogram the durations and in which unit, and which paths are\n" +
			"probes.\n\nThe page is FILE, or standard input with -; with --pod that of a running pod; otherwise that of a\n" +
			"ready pod of the stack. The proposal is YAML for the stack's file. Nothing is changed.",
		Example: "  curl -s localhost:9898/metrics | rollout metrics -\n" +
			"  rollout metrics --pod shop/orders-7d9f8-x2x4z --port 9000\n" +
			"  rollout metrics -s production",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return terminal.Usage(fmt.Errorf("%s takes one file, got %q", cmd.CommandPath(), args))
			}
			return nil
		},
		RunE: flags.run,
	}
	flags.bind(cmd)
	set := cmd.Flags()
	set.StringVar(&flags.pod, "pod", "", "running pod to read, as namespace/name")
	set.IntVar(&flags.port, "port", 0, "port of the pod; omit for the stack's, or 8080")
	set.StringVar(&flags.path, "path", "", "path of the pod's metrics; omit for the stack's, or /metrics")
	set.StringVar(&flags.kubeconfig, "kubeconfig", "", "kubeconfig for --pod; omit for kubectl's rules")
	set.StringVar(&flags.kubeContext, "kube-context", "", "context for --pod; omit for the current one")
	return cmd
}

// metricsLimit bounds the look at a pod.
const metricsLimit = 30 * time.Second

func (f *metricsFlags) run(cmd *cobra.Command, args []string) error {
	output, err := terminal.NewOutput(f.format, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), metricsLimit, fmt.Errorf("no answer within %v", metricsLimit))
	defer cancel()
	project := defaultProject
	var page io.ReadCloser
	switch {
	case len(args) == 1 && args[0] == "-":
		page = io.NopCloser(cmd.InOrStdin())
	case len(args) == 1:
		if page, err = os.Open(args[0]); err != nil {
			return terminal.Usage(fmt.Errorf("read the page of metrics: %w", err))
		}
	case f.pod != "":
		page, err = f.fromPod(ctx)
	default:
		page, project, err = f.fromStack(ctx, cmd, output)
	}
	if err != nil {
		return err
	}
	proposal, err := propose.FromPage(page)
	if err := errors.Join(err, page.Close()); err != nil {
		return err
	}
	return output.Print(proposal, func(terminal.Style) string { return sanitize.Text(proposal.YAML(project)) })
}

// defaultProject is the prefix of the keys where no project is known.
const defaultProject = "finance-rollout"

func (f *metricsFlags) fromPod(ctx context.Context) (io.ReadCloser, error) {
	namespace, name, ok := strings.Cut(f.pod, "/")
	if !ok || namespace == "" || name == "" {
		return nil, terminal.Usage(fmt.Errorf("--pod is %q: a pod is needed as namespace/name", f.pod))
	}
	client, err := kube.New(kube.Options{Kubeconfig: f.kubeconfig, Context: f.kubeContext})
	if err != nil {
		return nil, err
	}
	return f.read(ctx, client, namespace, name, 8080, settings.Defaults().Metrics.Path)
}

// fromStack reads the first ready pod of the stack's stable track, or of its only one.
func (f *metricsFlags) fromStack(ctx context.Context, cmd *cobra.Command,
	output *terminal.Output) (page io.ReadCloser, namespace string, err error) {
	stack, err := f.openStack(cmd, output)
	if err != nil {
		return nil, "", err
	}
	s := stack.Settings
	client, err := stack.Connect(ctx)
	if err != nil {
		return nil, "", err
	}
	deployment := rollout.StableDeployment(s)
	pods, err := client.ReadyPods(ctx, s.Namespace, deployment)
	if err != nil {
		return nil, "", err
	}
	if len(pods) == 0 {
		return nil, "", fmt.Errorf("deployment %s in %s has no ready pod: name another one with `rollout metrics --pod "+
			"NAMESPACE/POD --port %d -s %s`", deployment, s.Namespace, s.Container, stack.Name)
	}
	port := s.Metrics.Port
	if port == 0 {
		port = s.Container
	}
	page, err = f.read(ctx, client, s.Namespace, pods[0].Name, int(port), s.Metrics.Path)
	return page, stack.ConfigNamespace(), err
}

// read asks a pod for its page, through the API server.
func (f *metricsFlags) read(ctx context.Context, client *kube.Client, namespace, pod string, port int,
	path string) (io.ReadCloser, error) {
	if f.port != 0 {
		port = f.port
	}
	if f.path != "" {
		path = f.path
	}
	through, address, stop, err := client.PodClient(ctx, namespace, pod, port)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+path, nil)
	if err != nil {
		stop()
		return nil, fmt.Errorf("ask pod %s for %s: %w", pod, path, err)
	}
	request.Header.Set("Accept", "text/plain;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.5")
	answer, err := through.Do(request)
	if err != nil {
		stop()
		return nil, fmt.Errorf("ask pod %s for port %d%s: %w: name another port or path by --port and --path",
			pod, port, path, err)
	}
	if answer.StatusCode != http.StatusOK {
		stop()
		return nil, errors.Join(fmt.Errorf("pod %s answers %d at port %d%s: name another port or path by --port and "+
			"--path", pod, answer.StatusCode, port, path), answer.Body.Close())
	}
	return closing{answer.Body, stop}, nil
}

// closing ends the way to a pod with its answer.
type closing struct {
	io.ReadCloser
	stop func()
}

// Close closes the answer and the way.
func (c closing) Close() error {
	defer c.stop()
	return c.ReadCloser.Close()
}
