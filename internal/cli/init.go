package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/vextrus/finance-rollout/internal/cli/scaffold"
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// initFlags are the flags of rollout init.
type initFlags struct {
	dir                     string
	from                    string
	kubeconfig, kubeContext string
	// given are the flags of the service, by their name.
	given map[string]*string
}

// asked is a value of the service: a flag, and a question on a terminal.
type asked struct {
	flag, usage string
	// ask is whether a terminal is asked, where the flag is not given.
	ask bool
	get func(*scaffold.Service) string
	set func(*scaffold.Service, string) error
}

func textOf(field func(*scaffold.Service) *string) (func(*scaffold.Service) string,
	func(*scaffold.Service, string) error) {
	return func(s *scaffold.Service) string { return *field(s) },
		func(s *scaffold.Service, text string) error { *field(s) = text; return nil }
}

func numberOf(field func(*scaffold.Service) *int) (func(*scaffold.Service) string,
	func(*scaffold.Service, string) error) {
	return func(s *scaffold.Service) string { return strconv.Itoa(*field(s)) },
		func(s *scaffold.Service, text string) error {
			number, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("%q is not a whole number", text)
			}
			*field(s) = number
			return nil
		}
}

// questions are in the order in which a terminal is asked.
func questions() []asked {
	text := func(flag, usage string, ask bool, field func(*scaffold.Service) *string) asked {
		get, set := textOf(field)
		return asked{flag, usage, ask, get, set}
	}
	number := func(flag, usage string, ask bool, field func(*scaffold.Service) *int) asked {
		get, set := numberOf(field)
		return asked{flag, usage, ask, get, set}
	}
	return []asked{
		text("namespace", "namespace of production; staging's has -staging behind it", true,
			func(s *scaffold.Service) *string { return &s.Namespace }),
		text("image", "image that runs now", true, func(s *scaffold.Service) *string { return &s.Image }),
		number("port", "port of the container", true, func(s *scaffold.Service) *int { return &s.Port }),
		number("replicas", "pods that all requests need", true, func(s *scaffold.Service) *int { return &s.Replicas }),
		number("user", "user that the image runs as", false, func(s *scaffold.Service) *int { return &s.User }),
		text("live", "path of the liveness probe", true, func(s *scaffold.Service) *string { return &s.LivePath }),
		text("ready", "path of the readiness probe", true, func(s *scaffold.Service) *string { return &s.ReadyPath }),
		text("metrics-path", "path of the metrics", true, func(s *scaffold.Service) *string { return &s.MetricsPath }),
		number("metrics-port", "port of the metrics; 0 for --port", false,
			func(s *scaffold.Service) *int { return &s.MetricsPort }),
		text("requests", "counter of requests", true, func(s *scaffold.Service) *string { return &s.Requests }),
		text("status", "its label with the status", true, func(s *scaffold.Service) *string { return &s.Status }),
		text("durations", "histogram of durations, by its _bucket series; empty for none", true,
			func(s *scaffold.Service) *string { return &s.Durations }),
		text("unit", "unit of the histogram: s, ms or us", false, func(s *scaffold.Service) *string { return &s.Unit }),
		text("prometheus", "Prometheus, as an address or as namespace/service:port", true,
			func(s *scaffold.Service) *string { return &s.Prometheus }),
	}
}

func initCommand() *cobra.Command {
	flags := initFlags{given: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "init SERVICE",
		Short: "Write the first stack files of a service",
		Long: "Write the stack files of staging and production, a smoke suite and the settings of the policies for a\n" +
			"service. With --from the values are those of a Deployment that runs; flags come before them. On a terminal\n" +
			"the command asks for the rest, with what it knows as the proposal.\n\n" +
			"It writes into the folder of the Pulumi project and overwrites nothing: if one of the files exists, it writes\n" +
			"none. A variable that may be a credential is named and not written.",
		Example: "  rollout init orders --image shop/orders:1.9.3 --port 8080 --ready /readyz --live /healthz\n" +
			"  rollout init orders --from shop/orders --prometheus monitoring/prometheus-operated:9090",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return terminal.Usage(fmt.Errorf("%s takes the name of one service, got %q: for example `rollout init orders`",
					cmd.CommandPath(), args))
			}
			return nil
		},
		RunE: flags.run,
	}
	set := cmd.Flags()
	set.StringVarP(&flags.dir, "cwd", "C", "", "folder of the Pulumi project; omit for the working directory")
	set.StringVar(&flags.from, "from", "", "running Deployment to take the values from, as namespace/name")
	set.StringVar(&flags.kubeconfig, "kubeconfig", "", "kubeconfig for --from; omit for kubectl's rules")
	set.StringVar(&flags.kubeContext, "kube-context", "", "context for --from; omit for the current one")
	defaults := scaffold.Default("")
	for _, one := range questions() {
		flags.given[one.flag] = set.String(one.flag, "", one.usage+" (default "+shownDefault(one.get(&defaults))+")")
	}
	return cmd
}

func shownDefault(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

func (f *initFlags) run(cmd *cobra.Command, args []string) error {
	project, folder, err := stack.FindProject(f.dir)
	if err != nil {
		return err
	}
	service := scaffold.Default(args[0])
	if f.from != "" {
		if service, err = f.look(cmd.Context(), service); err != nil {
			return err
		}
	}
	if err := f.answer(cmd, &service); err != nil {
		return terminal.Usage(err)
	}
	files, err := service.Files(project)
	if err != nil {
		return terminal.Usage(err)
	}
	if err := scaffold.Write(folder, files); err != nil {
		return terminal.Usage(err)
	}
	out := cmd.OutOrStdout()
	for _, file := range files {
		fmt.Fprintln(out, "wrote", file.Name)
	}
	for _, note := range service.Notes {
		fmt.Fprintln(out, "note:", note)
	}
	fmt.Fprint(out, next(service))
	return nil
}

// next are the commands that go on from here.
func next(service scaffold.Service) string {
	var text strings.Builder
	text.WriteString("\nnext:\n")
	for _, environment := range []string{"staging", "production"} {
		name := service.StackName(environment)
		fmt.Fprintf(&text, "  pulumi stack init %s\n", name)
		if service.Image == "" {
			key := map[string]string{"staging": "image", "production": "stableImage"}[environment]
			fmt.Fprintf(&text, "  pulumi config set %s REPOSITORY:TAG -s %s\n", key, name)
		}
		fmt.Fprintf(&text, "  pulumi preview -s %s --policy-pack policies --policy-pack-config %s\n", name,
			service.PolicyFile())
	}
	return text.String()
}

// lookLimit bounds the look at the cluster.
const lookLimit = 30 * time.Second

// look takes the values of a Deployment that runs.
func (f *initFlags) look(ctx context.Context, service scaffold.Service) (scaffold.Service, error) {
	namespace, name, ok := strings.Cut(f.from, "/")
	if !ok || namespace == "" || name == "" {
		return service, terminal.Usage(fmt.Errorf("--from is %q: a Deployment is needed as namespace/name", f.from))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lookLimit, fmt.Errorf("no answer within %v", lookLimit))
	defer cancel()
	client, err := kube.New(kube.Options{Kubeconfig: f.kubeconfig, Context: f.kubeContext})
	if err != nil {
		return service, err
	}
	if err := client.Check(ctx); err != nil {
		return service, err
	}
	deployment, exists, err := client.Deployment(ctx, namespace, name)
	if err != nil {
		return service, err
	}
	if !exists {
		return service, fmt.Errorf("there is no Deployment %s in namespace %s of %s: look with `kubectl get deployments -n %s`",
			name, namespace, client.Origin(), namespace)
	}
	return service.Take(deployment)
}

// answer sets what the flags give, and asks a terminal for the rest.
func (f *initFlags) answer(cmd *cobra.Command, service *scaffold.Service) error {
	asks := isTerminal(cmd.InOrStdin())
	lines := bufio.NewReader(cmd.InOrStdin())
	for _, one := range questions() {
		value := *f.given[one.flag]
		switch {
		case cmd.Flags().Changed(one.flag):
		case asks && one.ask:
			fmt.Fprintf(cmd.ErrOrStderr(), "%s [%s]: ", one.usage, shownDefault(one.get(service)))
			line, err := lines.ReadString('\n')
			if err != nil {
				return fmt.Errorf("read the answer about --%s: %w; nothing was written", one.flag, err)
			}
			if value = strings.TrimSpace(line); value == "" {
				continue
			}
		default:
			continue
		}
		if err := one.set(service, value); err != nil {
			return fmt.Errorf("--%s: %w", one.flag, err)
		}
	}
	if _, err := endpoint.Parse(service.Prometheus); err != nil {
		return fmt.Errorf("--prometheus is not usable: %w", err)
	}
	return nil
}

func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
