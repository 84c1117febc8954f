// Package cluster starts, shows and ends the local one-node Kubernetes with its registry, monitoring,
// name service and database. It puts the other packages of local/ together and imports nothing of the product.
package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/vextrus/finance-rollout/build/images"
	"github.com/vextrus/finance-rollout/build/progress"
	"github.com/vextrus/finance-rollout/build/toolchain"
	"github.com/vextrus/finance-rollout/local/internal/cgroup"
	"github.com/vextrus/finance-rollout/local/internal/process"
	"github.com/vextrus/finance-rollout/local/internal/tools"
)

// Name is the name of the kubeconfig context, the node, the cgroup and the directory below /run.
const Name = "finance-rollout-local"

// The addresses of the cluster. All of them exist on this machine only.
const (
	bridge      = "frl0"
	nodeIP      = "10.213.88.1"
	podSubnet   = "10.213.88.0/24"
	nodeAddress = nodeIP + "/24"
	serviceNet  = "10.213.89.0/24"
	serviceAPI  = "10.213.89.1"
	serviceDNS  = "10.213.89.10"

	// Registry is where images are pushed to and pulled from.
	Registry = "localhost:5001"

	// RegistryListen is the registry's address.
	RegistryListen = "127.0.0.1:5001"

	apiPort            = 16443
	apiNodePort        = 30443
	etcdPort           = 12379
	etcdPeerPort       = 12380
	kubeletPort        = 10250
	kubeletHealthPort  = 16248
	controllerPort     = 16257
	schedulerPort      = 16259
	proxyHealthPort    = 16256
	proxyMetricsPort   = 16249
	postgresPort       = 5432
	prometheusNodePort = 30090
	// The Gateway is reached at the first, the second is for its health.
	gatewayPort     = 18080
	gatewayPingPort = 18081
)

// Cluster is the local cluster of one checkout.
type Cluster struct {
	root     string // the checkout
	progress *progress.Reporter
	launcher string
}

// New returns the cluster of the checkout at root. It starts nothing.
func New(root string, reporter *progress.Reporter) (*Cluster, error) {
	launcher, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &Cluster{root: root, progress: reporter, launcher: launcher}, nil
}

// Dir returns a path below .local, which holds everything that outlives the cluster's processes.
func (c *Cluster) Dir(parts ...string) string {
	return filepath.Join(append([]string{c.root, ".local"}, parts...)...)
}

// runDir returns a path below /run, for files that must not outlive a reboot. Its short, fixed name keeps the paths
// of sockets under the kernel's limit of 107 characters wherever the checkout is.
func runDir(parts ...string) string {
	return filepath.Join(append([]string{"/run", Name}, parts...)...)
}

// dataDir returns a path below the data directory, .local/data, under the name that it is mounted at in /run: there
// every user can reach it, even if the checkout is in a private home directory.
func dataDir(parts ...string) string {
	return runDir(append([]string{"data"}, parts...)...)
}

func (c *Cluster) supervisor() *process.Supervisor {
	return &process.Supervisor{Dir: runDir("processes"), LogDir: c.Dir("logs"), Launcher: c.launcher}
}

func (c *Cluster) cgroups() cgroup.Tree {
	return cgroup.New("/sys/fs/cgroup", Name)
}

// Builder returns the builder of this checkout's tools.
func (c *Cluster) Builder() *toolchain.Builder {
	return &toolchain.Builder{
		Modules: tools.Modules(),
		Source:  filepath.Join(c.root, "local", "tools"), Bin: c.Dir("bin"),
		Plugins: c.Dir("pulumi", "plugins"), LogDir: c.Dir("logs"), Progress: c.progress,
	}
}

func (c *Cluster) bin(name string) string {
	return c.Dir("bin", name)
}

// Kubeconfig returns the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string {
	return c.Dir("kubeconfig")
}

// internalKubeconfig returns the path of the kubeconfig that reaches the API server without kube-proxy.
func (c *Cluster) internalKubeconfig() string {
	return c.Dir("kubeconfigs", "admin")
}

func ips(addresses ...string) []net.IP {
	var parsed []net.IP
	for _, address := range addresses {
		parsed = append(parsed, net.ParseIP(address))
	}
	return parsed
}

func url(scheme, host string, port int) string {
	return fmt.Sprintf("%s://%s", scheme, net.JoinHostPort(host, fmt.Sprint(port)))
}

// systemImages are the images of the cluster's own workloads, by the tool that they hold.
func (c *Cluster) systemImages() map[string]images.Image {
	all := map[string]images.Image{}
	for _, name := range []string{
		"pause", "coredns", "prometheus-operator", "prometheus-config-reloader", "prometheus", "alertmanager",
		"kube-state-metrics",
	} {
		all[name] = images.Image{Binary: c.bin(name), Path: "/bin/" + name}
	}
	return all
}
