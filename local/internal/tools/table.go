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

// Module is a directory under local/tools with the tools that are built from it in one go.
type Module struct {
	Dir string
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
	// Module is the module's path, Dir the folder inside it, Files the files there. They are copied to generated/.
	Module, Dir string
	Files       []string
	// Versioned is the one of them that gets Version as its top-level "version".
	Versioned, Version string
}

// KubernetesVersion is the version of the cluster's components.
const KubernetesVersion = "1.34.4"

// ProviderVersion is the version of Pulumi's Kubernetes provider.
const ProviderVersion = "4.25.0"

// pulumiVersion is the version of the Pulumi CLI that is built; the program requires 3.238.
const pulumiVersion = "3.259.0"

// Modules returns the table of everything that can be built, the longest builds first.
func Modules() []Module { //nolint:funlen // a table
	kubernetes := func(name string) Tool {
		return Tool{
			Name: name, Package: "k8s.io/kubernetes/cmd/" + name,
			Min: "1.34.0", Below: "1.35.0", Probe: []string{"--version"},
		}
	}
	return []Module{
		{
			Dir: "kubernetes",
			Variables: []string{
				"k8s.io/component-base/version.gitVersion=v" + KubernetesVersion,
				"k8s.io/component-base/version.gitMajor=1", "k8s.io/component-base/version.gitMinor=34",
				"k8s.io/component-base/version.gitTreeState=clean",
			},
			Tools: []Tool{
				kubernetes("kube-apiserver"), kubernetes("kube-controller-manager"), kubernetes("kube-scheduler"),
				kubernetes("kubelet"), kubernetes("kube-proxy"),
				{
					Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl",
					Min: "1.33.0", Below: "1.36.0", Probe: []string{"version", "--client"},
				},
			},
		},
		{
			Dir:       "pulumi-resource-kubernetes",
			Variables: []string{"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version=" + ProviderVersion},
			Embed: &Embed{
				Module: "github.com/pulumi/pulumi-kubernetes/provider/v4", Dir: "cmd/pulumi-resource-kubernetes",
				Files:     []string{"schema.json", "terraform-mapping.json"},
				Versioned: "schema.json", Version: ProviderVersion,
			},
			Tools: []Tool{{
				Name: "pulumi-resource-kubernetes", Package: ".",
				Plugin: "resource-kubernetes-v" + ProviderVersion,
			}},
		},
		{
			Dir:       "pulumi",
			Variables: []string{"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=" + pulumiVersion},
			Tools: []Tool{{
				Name: "pulumi", Package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
				Min: "3.238.0", Below: "4.0.0", Probe: []string{"version"},
			}},
		},
		{
			Dir: "prometheus",
			// Service discovery of most clouds is left out, and with it modules that cannot be had everywhere; they
			// are still named by packages that the tags exclude, which only -mod=mod forgives.
			Flags: []string{"-mod=mod", "-tags=remove_all_sd,enable_kubernetes_sd"},
			Tools: []Tool{
				{Name: "prometheus", Package: "github.com/prometheus/prometheus/cmd/prometheus"},
				{Name: "promtool", Package: "github.com/prometheus/prometheus/cmd/promtool"},
			},
		},
		{
			Dir: "prometheus-operator",
			Variables: []string{
				"github.com/prometheus/common/version.Version=0.88.0",
			},
			Tools: []Tool{
				{Name: "prometheus-operator", Package: "github.com/prometheus-operator/prometheus-operator/cmd/operator"},
				{
					Name:    "prometheus-config-reloader",
					Package: "github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
				},
			},
		},
		{Dir: "coredns", Tools: []Tool{{Name: "coredns", Package: "."}}},
		{
			Dir:   "kube-state-metrics",
			Tools: []Tool{{Name: "kube-state-metrics", Package: "k8s.io/kube-state-metrics/v2"}},
		},
		{
			Dir: "pulumi-language-go",
			Tools: []Tool{{
				Name: "pulumi-language-go", Package: "github.com/pulumi/pulumi/sdk/go/pulumi-language-go/v3", Beside: "pulumi",
			}},
		},
		{
			Dir: "etcd",
			Tools: []Tool{{
				Name: "etcd", Package: "go.etcd.io/etcd/server/v3",
				Min: "3.5.0", Below: "3.7.0", Probe: []string{"--version"},
			}},
		},
		{
			Dir:   "alertmanager",
			Tools: []Tool{{Name: "alertmanager", Package: "github.com/prometheus/alertmanager/cmd/alertmanager"}},
		},
		{
			Dir: "golangci-lint",
			Tools: []Tool{{
				Name: "golangci-lint", Package: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", Optional: true,
				Min: "2.15.0", Below: "2.16.0", Probe: []string{"version"},
			}},
		},
	}
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
