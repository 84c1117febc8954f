// Package tools provides the programs that the local cluster and its tests run: found on PATH in a fitting version,
// else built from the pinned modules under local/tools. It knows how to build; what runs them is elsewhere.
package tools

import (
	"path"
	"regexp"
	"slices"
)

// Tool is one program.
type Tool struct {
	// Name is the program's file name.
	Name string
	// Package is built in the module's directory.
	Package string
	// Min (inclusive) and Below (exclusive) bound the versions that are accepted from PATH. A tool without them is
	// always built: it goes into an image, which needs a static program.
	Min, Below string
	// Probe are the arguments that make the tool print its version.
	Probe []string
	// Beside names a tool whose copy from PATH has this one next to it.
	Beside string
	// Plugin is the directory below ~/.pulumi/plugins that a released plugin is installed in.
	Plugin string
	// Optional tools are built only when they are asked for by name.
	Optional bool
}

// Module is a module under local/tools with tools that are built from it in one go.
type Module struct {
	// Dir is the module's directory. Entries with the same one are built one after another, so that what they share is
	// compiled once; Name tells them apart and is the directory's unless it is set.
	Dir, Name string
	// Flags are further flags of go build.
	Flags []string
	// Variables are set at link time: import path, dot, name, equals sign, value.
	Variables []string
	// Embed copies files of another module to the module's directory before the build.
	Embed *Embed
	Tools []Tool
}

// Embed names JSON files of a module that a package embeds.
type Embed struct {
	// Module is the module's path, Dir the folder inside it, Files the files there. They are copied to generated/ in the
	// folder Into of the tools module.
	Module, Dir string
	Files       []string
	Into        string
	// Versioned is the one of them that gets Version as its top-level "version".
	Versioned, Version string
}

// KubernetesVersion is the version of the cluster's components.
const KubernetesVersion = "1.34.4"

// ProviderVersion is the version of Pulumi's Kubernetes provider.
const ProviderVersion = "4.25.0"

// pulumiVersion is the version of the Pulumi CLI that is built; the program requires 3.238.
const pulumiVersion = "3.245.0"

// traefikVersion is the version of Traefik, which speaks the Gateway API 1.4.0.
const traefikVersion = "3.6.12"

// platform is the module of nearly everything: one choice of versions, so that the packages that two tools share,
// which are about half of all, are compiled once. Service discovery of most clouds is left out of Prometheus, and
// with it modules that cannot be had everywhere; packages that the tags exclude still name them, which only -mod=mod
// forgives.
func platform(name string, tools ...Tool) Module {
	return Module{
		Dir: "platform", Name: name, Tools: tools,
		Flags: []string{"-mod=mod", "-tags=remove_all_sd,enable_kubernetes_sd"},
	}
}

func (m Module) with(variables ...string) Module {
	m.Variables = variables
	return m
}

// Modules returns the table of everything that can be built, the longest builds first.
func Modules() []Module { //nolint:funlen // a table
	kubernetes := func(name string) Tool {
		return Tool{
			Name: name, Package: "k8s.io/kubernetes/cmd/" + name,
			Min: "1.34.0", Below: "1.35.0", Probe: []string{"--version"},
		}
	}
	provider := platform("pulumi-resource-kubernetes", Tool{
		Name: "pulumi-resource-kubernetes", Package: "./pulumi-resource-kubernetes",
		Plugin: "resource-kubernetes-v" + ProviderVersion,
	}).with("github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version=" + ProviderVersion)
	provider.Embed = &Embed{
		Module: "github.com/pulumi/pulumi-kubernetes/provider/v4", Dir: "cmd/pulumi-resource-kubernetes",
		Files:     []string{"schema.json", "terraform-mapping.json"},
		Into:      "pulumi-resource-kubernetes",
		Versioned: "schema.json", Version: ProviderVersion,
	}
	return []Module{
		platform("kubernetes",
			kubernetes("kube-apiserver"), kubernetes("kube-controller-manager"), kubernetes("kube-scheduler"),
			kubernetes("kubelet"), kubernetes("kube-proxy"),
			Tool{
				Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl",
				Min: "1.33.0", Below: "1.36.0", Probe: []string{"version", "--client"},
			},
		).with(
			"k8s.io/component-base/version.gitVersion=v"+KubernetesVersion,
			"k8s.io/component-base/version.gitMajor=1", "k8s.io/component-base/version.gitMinor=34",
			"k8s.io/component-base/version.gitTreeState=clean",
		),
		provider,
		platform("pulumi", Tool{
			Name: "pulumi", Package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
			Min: "3.238.0", Below: "4.0.0", Probe: []string{"version"},
		}).with("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=" + pulumiVersion),
		platform("prometheus",
			Tool{Name: "prometheus", Package: "github.com/prometheus/prometheus/cmd/prometheus"},
			Tool{Name: "promtool", Package: "github.com/prometheus/prometheus/cmd/promtool"},
		),
		platform("prometheus-operator",
			Tool{Name: "prometheus-operator", Package: "github.com/prometheus-operator/prometheus-operator/cmd/operator"},
			Tool{
				Name:    "prometheus-config-reloader",
				Package: "github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
			},
		).with("github.com/prometheus/common/version.Version=0.88.0"),
		platform("coredns", Tool{Name: "coredns", Package: "./coredns"}),
		platform("cluster",
			Tool{Name: "kube-state-metrics", Package: "k8s.io/kube-state-metrics/v2"},
			Tool{
				Name: "etcd", Package: "go.etcd.io/etcd/server/v3",
				Min: "3.5.0", Below: "3.7.0", Probe: []string{"--version"},
			},
		),
		{
			Dir: "pulumi-language-go",
			Tools: []Tool{{
				Name: "pulumi-language-go", Package: "github.com/pulumi/pulumi/sdk/go/pulumi-language-go/v3", Beside: "pulumi",
			}},
		},
		{
			Dir:   "alertmanager",
			Tools: []Tool{{Name: "alertmanager", Package: "github.com/prometheus/alertmanager/cmd/alertmanager"}},
		},
		Module{
			Dir: "traefik",
			Tools: []Tool{{
				Name: "traefik", Package: "github.com/traefik/traefik/v3/cmd/traefik", Optional: true,
				Min: "3.6.0", Below: "3.7.0", Probe: []string{"version"},
			}},
		}.with("github.com/traefik/traefik/v3/pkg/version.Version=" + traefikVersion),
		{
			Dir: "golangci-lint",
			Tools: []Tool{{
				Name: "golangci-lint", Package: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", Optional: true,
				Min: "2.15.0", Below: "2.16.0", Probe: []string{"version"},
			}},
		},
		{
			Dir:   "govulncheck",
			Tools: []Tool{{Name: "govulncheck", Package: "golang.org/x/vuln/cmd/govulncheck", Optional: true}},
		},
		{
			Dir: "cyclonedx-gomod",
			Tools: []Tool{{Name: "cyclonedx-gomod", Package: "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod",
				Optional: true}},
		},
		{
			Dir:   "actionlint",
			Tools: []Tool{{Name: "actionlint", Package: "github.com/rhysd/actionlint/cmd/actionlint", Optional: true}},
		},
	}
}

// name is the name of the entry.
func (m Module) name() string {
	if m.Name != "" {
		return m.Name
	}
	return m.Dir
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// built returns the file name that go build gives to the tool: the last part of its package that is no major version,
// or the module directory's name for the package in it.
func (t Tool) built(module string) string {
	if t.Package == "." {
		return module
	}
	base := path.Base(t.Package)
	if majorVersion.MatchString(base) {
		base = path.Base(path.Dir(t.Package))
	}
	return base
}

// names returns the names of all tools that are needed without being asked for.
func names(modules []Module) []string {
	var all []string
	for _, module := range modules {
		for _, tool := range module.Tools {
			if !tool.Optional {
				all = append(all, tool.Name)
			}
		}
	}
	slices.Sort(all)
	return all
}
