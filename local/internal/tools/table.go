// Package tools is the table of the programs that the local cluster and its tests run. The modules that pin them are
// below local/tools.
package tools

import "github.com/vextrus/finance-rollout/build/toolchain"

// KubernetesVersion is the version of the cluster's components.
const KubernetesVersion = "1.34.4"

// ProviderVersion is the version of Pulumi's Kubernetes provider.
const ProviderVersion = "4.25.0"

// pulumiVersion is the version of the Pulumi CLI that is built, and the oldest one that the program allows.
const pulumiVersion = "3.245.0"

// traefikVersion is the version of Traefik, which speaks the Gateway API 1.4.0.
const traefikVersion = "3.6.12"

// platform is the module of nearly everything: one choice of versions, so that the packages that two tools share,
// which are about half of all, are compiled once. Service discovery of most clouds is left out of Prometheus, and
// with it modules that cannot be had everywhere; packages that the tags exclude still name them, which only -mod=mod
// forgives.
func platform(name string, tools ...toolchain.Tool) toolchain.Module {
	return toolchain.Module{
		Dir: "platform", Name: name, Tools: tools,
		Flags: []string{"-mod=mod", "-tags=remove_all_sd,enable_kubernetes_sd"},
	}
}

// Modules returns the table of everything that can be built, the longest builds first.
func Modules() []toolchain.Module { //nolint:funlen // a table
	kubernetes := func(name string) toolchain.Tool {
		return toolchain.Tool{
			Name: name, Package: "k8s.io/kubernetes/cmd/" + name,
			Min: "1.34.0", Below: "1.35.0", Probe: []string{"--version"},
		}
	}
	provider := platform("pulumi-resource-kubernetes", toolchain.Tool{
		Name: "pulumi-resource-kubernetes", Package: "./pulumi-resource-kubernetes",
		Plugin: "resource-kubernetes-v" + ProviderVersion,
	}).With("github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version=" + ProviderVersion)
	provider.Embed = &toolchain.Embed{
		Module: "github.com/pulumi/pulumi-kubernetes/provider/v4", Dir: "cmd/pulumi-resource-kubernetes",
		Files:     []string{"schema.json", "terraform-mapping.json"},
		Into:      "pulumi-resource-kubernetes",
		Versioned: "schema.json", Version: ProviderVersion,
	}
	return []toolchain.Module{
		platform("kubernetes",
			kubernetes("kube-apiserver"), kubernetes("kube-controller-manager"), kubernetes("kube-scheduler"),
			kubernetes("kubelet"), kubernetes("kube-proxy"),
			toolchain.Tool{
				Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl",
				Min: "1.33.0", Below: "1.36.0", Probe: []string{"version", "--client"},
			},
		).With(
			"k8s.io/component-base/version.gitVersion=v"+KubernetesVersion,
			"k8s.io/component-base/version.gitMajor=1", "k8s.io/component-base/version.gitMinor=34",
			"k8s.io/component-base/version.gitTreeState=clean",
		),
		provider,
		platform("pulumi", toolchain.Tool{
			Name: "pulumi", Package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
			Min: pulumiVersion, Below: "4.0.0", Probe: []string{"version"},
		}).With("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=" + pulumiVersion),
		platform("prometheus",
			toolchain.Tool{Name: "prometheus", Package: "github.com/prometheus/prometheus/cmd/prometheus"},
			toolchain.Tool{Name: "promtool", Package: "github.com/prometheus/prometheus/cmd/promtool"},
		),
		platform("prometheus-operator",
			toolchain.Tool{Name: "prometheus-operator",
				Package: "github.com/prometheus-operator/prometheus-operator/cmd/operator"},
			toolchain.Tool{
				Name:    "prometheus-config-reloader",
				Package: "github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
			},
		).With("github.com/prometheus/common/version.Version=0.88.0"),
		platform("coredns", toolchain.Tool{Name: "coredns", Package: "./coredns"}),
		platform("cluster",
			toolchain.Tool{Name: "kube-state-metrics", Package: "k8s.io/kube-state-metrics/v2"},
			toolchain.Tool{
				Name: "etcd", Package: "go.etcd.io/etcd/server/v3",
				Min: "3.5.0", Below: "3.7.0", Probe: []string{"--version"},
			},
		),
		{
			Dir: "pulumi-language-go",
			Tools: []toolchain.Tool{{
				Name: "pulumi-language-go", Package: "github.com/pulumi/pulumi/sdk/go/pulumi-language-go/v3", Beside: "pulumi",
			}},
		},
		{
			Dir:   "alertmanager",
			Tools: []toolchain.Tool{{Name: "alertmanager", Package: "github.com/prometheus/alertmanager/cmd/alertmanager"}},
		},
		{
			// A service that somebody else has written, which a test rolls out.
			Dir: "podinfo",
			Tools: []toolchain.Tool{{
				Name: "podinfo", Package: "github.com/stefanprodan/podinfo/cmd/podinfo", Optional: true,
			}},
		},
		{
			Dir: "argo-rollouts",
			Tools: []toolchain.Tool{{
				Name: "rollouts-controller", Package: "github.com/argoproj/argo-rollouts/cmd/rollouts-controller", Optional: true,
			}},
		},
		toolchain.Module{
			Dir: "traefik",
			Tools: []toolchain.Tool{{
				Name: "traefik", Package: "github.com/traefik/traefik/v3/cmd/traefik", Optional: true,
				Min: "3.6.0", Below: "3.7.0", Probe: []string{"version"},
			}},
		}.With("github.com/traefik/traefik/v3/pkg/version.Version=" + traefikVersion),
	}
}
