package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/vextrus/finance-rollout/build/progress"
	"github.com/vextrus/finance-rollout/local/internal/manifests"
	"github.com/vextrus/finance-rollout/local/internal/network"
	"github.com/vextrus/finance-rollout/local/internal/postgres"
	"github.com/vextrus/finance-rollout/local/internal/registry"
)

// Options select the optional parts of the cluster.
type Options struct {
	// Gateway adds the Gateway API and a Gateway. One that runs already stays without it.
	Gateway bool
}

// Up starts the cluster. Each step checks what exists, so Up can be interrupted or killed at any point and run
// again; when everything runs, it takes seconds.
func (c *Cluster) Up(ctx context.Context, options Options) error {
	// Said before the tools are built, which may take half an hour.
	if err := c.refuseOther(); err != nil {
		return err
	}
	if err := c.prepare(ctx, options); err != nil {
		return err
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.claim(ctx); err != nil {
		return err
	}
	if err := c.progress.Run("network, mounts and cgroups",
		func(*progress.Task) error { return c.setUpMachine(ctx) }); err != nil {
		return err
	}
	keys, err := c.issue(time.Now())
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	if err := c.start(ctx, c.registry()); err != nil {
		return err
	}
	var references map[string]string
	err = c.progress.Run("push images", func(task *progress.Task) error {
		references, err = c.pushImages(ctx, task)
		return err
	})
	if err != nil {
		return err
	}
	if err := c.startKubernetes(ctx, keys, references["pause"]); err != nil {
		return err
	}
	if err := c.startDatabase(ctx); err != nil {
		return err
	}
	if err := c.deploy(ctx, references); err != nil {
		return err
	}
	if options.Gateway {
		if err := c.startGateway(ctx, keys); err != nil {
			return err
		}
	}
	return c.writeEnv()
}

// prepare provides system packages and tools, which needs no cluster.
func (c *Cluster) prepare(ctx context.Context, options Options) error {
	for _, dir := range []string{c.Dir("bin"), c.Dir("logs"), c.Dir("data"), c.Dir("state"), c.Dir("secrets")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := c.installPackages(ctx, requirements()); err != nil {
		return err
	}
	if err := c.installSelf(); err != nil {
		return err
	}
	if err := c.Builder().Provide(ctx); err != nil {
		return err
	}
	if options.Gateway {
		if err := c.Builder().Provide(ctx, traefik); err != nil {
			return err
		}
	}
	return c.buildPause(ctx)
}

// installSelf copies the running program to .local/bin, where background processes and shells find it.
func (c *Cluster) installSelf() error {
	target := c.bin("local")
	running, err := os.Stat(c.launcher)
	if err != nil {
		return err
	}
	if installed, err := os.Stat(target); err == nil && os.SameFile(running, installed) {
		return nil
	}
	content, err := os.ReadFile(c.launcher)
	if err != nil {
		return err
	}
	if installed, err := os.ReadFile(target); err == nil && string(installed) == string(content) {
		return nil
	}
	if err := os.WriteFile(target+".tmp", content, 0o755); err != nil {
		return err
	}
	return os.Rename(target+".tmp", target)
}

// buildPause builds the program of the pods' sandboxes. It takes a second, so go decides whether it is current.
func (c *Cluster) buildPause(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", c.bin("pause"),
		"./local/pause")
	cmd.Dir = c.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build pause: %w: %s", err, output)
	}
	return nil
}

func (c *Cluster) setUpMachine(ctx context.Context) error {
	if err := noteDirs(runDir("absent-dirs.json")); err != nil {
		return err
	}
	if err := c.mountData(); err != nil {
		return err
	}
	if err := network.SetKernel(ctx, runDir("kernel.json")); err != nil {
		return err
	}
	if err := network.EnsureBridge(ctx, bridge, nodeAddress); err != nil {
		return err
	}
	return c.cgroups().Create()
}

// start makes one component run and waits until it is ready.
func (c *Cluster) start(ctx context.Context, part component) error {
	return c.progress.Run(part.spec.Name, func(*progress.Task) error {
		_, err := c.supervisor().Ensure(ctx, part.spec, part.ready, part.timeout)
		return err
	})
}

func (c *Cluster) startKubernetes(ctx context.Context, keys pki, pauseImage string) error {
	if err := c.writeConfig(keys, pauseImage); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	containerd, err := c.containerd()
	if err != nil {
		return err
	}
	parts := []component{
		c.etcd(keys), c.apiserver(keys), c.controllerManager(keys), c.scheduler(keys), containerd, c.kubelet(keys),
		c.proxy(keys),
	}
	for _, part := range parts {
		if err := c.start(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// pushImages builds and pushes the system's images and returns their references by digest.
func (c *Cluster) pushImages(ctx context.Context, task *progress.Task) (map[string]string, error) {
	cache := registry.OpenCache(c.Dir("data", "images.json"))
	references := map[string]string{}
	for name, image := range c.systemImages() {
		task.Detail(name)
		reference, err := cache.Push(ctx, image, Registry, "local/"+name, "current")
		if err != nil {
			return nil, err
		}
		references[name] = reference
	}
	return references, nil
}

// startDatabase makes PostgreSQL run with the service's databases.
func (c *Cluster) startDatabase(ctx context.Context) error {
	password, err := c.secret("postgres-password")
	if err != nil {
		return err
	}
	database, err := postgres.Open(postgres.Config{
		DataDir: dataDir("postgres"), SocketDir: runDir("postgres"), Address: nodeIP, Port: postgresPort, Network: podSubnet,
		User: DatabaseUser, Password: password, Databases: []string{"vextrus_finance", "vextrus_finance_staging"},
	})
	if err != nil {
		return err
	}
	return c.progress.Run("postgres", func(*progress.Task) error {
		if err := database.Init(ctx); err != nil {
			return err
		}
		spec := c.spec("postgres", database.Program(), database.Args()...)
		spec.UID, spec.GID, spec.Env = database.UID, database.GID, []string{daemonPath, "LC_ALL=C.UTF-8"}
		spec.Dir = dataDir("postgres")
		if _, err := c.supervisor().Ensure(ctx, spec, database.Ready, time.Minute); err != nil {
			return err
		}
		return database.Provision(ctx)
	})
}

// deploy applies the workloads inside the cluster and waits until they are ready.
func (c *Cluster) deploy(ctx context.Context, references map[string]string) error {
	applier, err := manifests.NewApplier(c.internalKubeconfig())
	if err != nil {
		return err
	}
	values := manifests.Values{
		Images: references, Node: Name, NodeIP: nodeIP, DNS: serviceDNS,
		PrometheusNodePort: prometheusNodePort, PostgresPort: postgresPort,
	}
	crds := manifests.CRDSource{Tools: filepath.Join(c.root, "local", "tools", "platform")}
	err = c.progress.Run("apply manifests", func(*progress.Task) error {
		return applier.Apply(ctx, values, crds)
	})
	if err != nil {
		return err
	}
	return c.progress.Run("wait for the node and the pods", func(task *progress.Task) error {
		return applier.Wait(ctx, values, 5*time.Minute, task.Detail)
	})
}
