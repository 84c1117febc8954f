package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vextrus/finance-rollout/local/internal/project"
)

// External is a user's cluster with the things that the demo cannot create there.
type External struct {
	// Kubeconfig is the path of the cluster's kubeconfig; its current context is used.
	Kubeconfig string
	// Prometheus is the gates' Prometheus, as namespace/service:port or as a URL.
	Prometheus string
	// Registry is a registry and repository that this machine can push to and the cluster can pull from.
	Registry string
	// DatabaseHost, DatabaseUser and DatabasePassword reach a PostgreSQL from inside the cluster.
	DatabaseHost, DatabaseUser, DatabasePassword string
	// Input answers questions; nil without a terminal.
	Input io.Reader
}

// FromEnvironment reads the other variables of `make demo KUBECONFIG=…`.
func FromEnvironment(kubeconfig string, getenv func(string) string) External {
	return External{
		Kubeconfig: kubeconfig, Prometheus: getenv("PROMETHEUS"), Registry: getenv("REGISTRY"),
		DatabaseHost: getenv("DATABASE_HOST"), DatabaseUser: getenv("DATABASE_USERNAME"),
		DatabasePassword: getenv("DATABASE_PASSWORD"),
	}
}

// Missing lists what the demo lacks on the cluster, each with its remedy; empty when the demo can start.
func (e *External) Missing(ctx context.Context) []string {
	client, err := e.connect()
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err = client.CoreV1().Namespaces().List(limited, metav1.ListOptions{Limit: 1})
	}
	if err != nil {
		return []string{fmt.Sprintf("a cluster that answers: KUBECONFIG=%s gives %v", e.Kubeconfig, err)}
	}
	var missing []string
	if _, err := client.Discovery().ServerResourcesForGroupVersion("monitoring.coreos.com/v1"); err != nil {
		missing = append(missing, "the Prometheus Operator, for example from the kube-prometheus-stack chart: the cluster "+
			"has no ServiceMonitor")
	}
	if e.Prometheus == "" {
		e.Prometheus = e.askForPrometheus(ctx, client)
	}
	wanted := map[string]string{
		"PROMETHEUS=namespace/service:port or an address: the Prometheus that the gates ask": e.Prometheus,
		"REGISTRY=host/repository: where the example's image is pushed to and pulled from":   e.Registry,
		"DATABASE_HOST=name: a PostgreSQL with a database vextrus_finance, as pods reach it": e.DatabaseHost,
		"DATABASE_USERNAME=name: its user":                                                   e.DatabaseUser,
		"DATABASE_PASSWORD=…: that user's password, in the environment":                      e.DatabasePassword,
	}
	for _, what := range slices.Sorted(maps.Keys(wanted)) {
		if wanted[what] == "" {
			missing = append(missing, what)
		}
	}
	return missing
}

func (e *External) connect() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", e.Kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// askForPrometheus offers the Services that look like Prometheus. Without a terminal it returns an empty string.
func (e *External) askForPrometheus(ctx context.Context, client kubernetes.Interface) string {
	if e.Input == nil {
		return ""
	}
	fmt.Fprintln(os.Stderr, "Which Prometheus should the gates query? namespace/service:port, or an address.")
	services, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{})
	if err == nil {
		for _, service := range services.Items {
			if strings.Contains(service.Name, "prometheus") && len(service.Spec.Ports) > 0 {
				fmt.Fprintf(os.Stderr, "  found: %s/%s:%d\n", service.Namespace, service.Name, service.Spec.Ports[0].Port)
			}
		}
	}
	fmt.Fprint(os.Stderr, "Prometheus: ")
	line, _ := bufio.NewReader(e.Input).ReadString('\n') // the end of the input is no answer
	return strings.TrimSpace(line)
}

// RunOn rolls out on a cluster of the user's own. It sends no load there, therefore nothing is baked.
func (d *Demo) RunOn(ctx context.Context, external *External) error {
	if missing := external.Missing(ctx); len(missing) > 0 {
		return errors.New("the demo on this cluster still needs\n  - " + strings.Join(missing, "\n  - "))
	}
	if err := d.Cluster.PrepareTools(ctx); err != nil {
		return err
	}
	options, err := d.externalOptions(ctx, external)
	if err != nil {
		return err
	}
	if err := d.writeStacks(ctx, options); err != nil {
		return err
	}
	for _, stack := range project.Stacks {
		if err := d.up(ctx, stack); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(d.Out, externalSummary, d.Cluster.EnvFile(), external.Kubeconfig, d.Dir, d.Backend)
	return err
}

const externalSummary = `
Week 1 runs. The bake was left out, because the demo sends no load to a cluster that it did not start. To look around:
  . %s
  export KUBECONFIG=%s PULUMI_OPTION_CWD=%s PULUMI_BACKEND_URL=%s
  kubectl get deploy -n vextrus-production
  pulumi preview -s production
  pulumi state unprotect --all -y -s production && pulumi destroy -s production && pulumi destroy -s staging
  kubectl delete namespace vextrus-production
`

func (d *Demo) externalOptions(ctx context.Context, external *External) (project.Options, error) {
	d.Dir = d.Cluster.Dir("external")
	d.Backend = "file://" + d.Cluster.Dir("external", "state")
	if err := os.MkdirAll(d.Cluster.Dir("external", "state"), 0o755); err != nil {
		return project.Options{}, err
	}
	secrets, err := d.secrets()
	if err != nil {
		return project.Options{}, err
	}
	secrets["secrets.finance-db.host"] = external.DatabaseHost
	secrets["secrets.finance-db.username"] = external.DatabaseUser
	secrets["secrets.finance-db.password"] = external.DatabasePassword
	registry, name, ok := strings.Cut(external.Registry, "/")
	if !ok {
		return project.Options{}, fmt.Errorf("REGISTRY is %q: allowed is host/repository, for example "+
			"localhost:5000/vextrus/finance", external.Registry)
	}
	options := project.Options{
		Repo: d.Root, Dir: d.Dir, Kubeconfig: external.Kubeconfig, Prometheus: external.Prometheus, Secrets: secrets,
		WithoutBake: true,
	}
	if options.StableImage, err = d.pushTo(ctx, registry, name, "v1"); err != nil {
		return options, err
	}
	options.Image, err = d.pushTo(ctx, registry, name, "v2")
	return options, err
}
