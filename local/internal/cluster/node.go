package cluster

import (
	"bytes"
	"context"
	"embed"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

// The configuration files of the node's parts; the comments in them say why.
//
//go:embed config
var configFiles embed.FS

// configValues fill the templates of the configuration files.
type configValues struct {
	Name, Run, Data, CNIPlugins          string
	Bridge, NodeIP, PodSubnet, DNS       string
	Registry, RegistryListen, PauseImage string
	CA, KubeletCert, KubeletKey          string
	KubeletPort, KubeletHealthPort       int
}

// writeConfig writes the configuration files of containerd, the pod network and the kubelet.
func (c *Cluster) writeConfig(keys pki, pauseImage string) error {
	values := configValues{
		Name: Name, Run: runDir(), Data: dataDir(), CNIPlugins: cniPlugins,
		Bridge: bridge, NodeIP: nodeIP, PodSubnet: podSubnet, DNS: serviceDNS,
		Registry: Registry, RegistryListen: RegistryListen, PauseImage: pauseImage,
		CA: keys.ca, KubeletCert: keys.kubeletServer.Cert, KubeletKey: keys.kubeletServer.Key,
		KubeletPort: kubeletPort, KubeletHealthPort: kubeletHealthPort,
	}
	files := map[string]string{
		"containerd.toml": containerdConfig(),
		"hosts.toml":      runDir("registries", Registry, "hosts.toml"),
		"network.json":    runDir("cni", "10-"+Name+".conflist"),
		"kubelet.yaml":    kubeletConfig(),
		"resolv.conf":     runDir("resolv.conf"),
	}
	for name, path := range files {
		parsed, err := template.ParseFS(configFiles, "config/"+name)
		if err != nil {
			return err
		}
		var content bytes.Buffer
		if err := parsed.Execute(&content, values); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func containerdConfig() string { return runDir("containerd.toml") }
func kubeletConfig() string    { return runDir("kubelet.yaml") }
func containerdSocket() string { return runDir("containerd", "containerd.sock") }

func (c *Cluster) containerd() (component, error) {
	path, err := exec.LookPath("containerd")
	if err != nil {
		return component{}, err
	}
	spec := c.spec("containerd", path, "--config", containerdConfig())
	spec.Files = []string{containerdConfig()}
	return component{spec: spec, ready: runtimeReady, timeout: time.Minute}, nil
}

// runtimeReady asks the runtime for its version as the kubelet does at its start, which ends if the runtime still reads
// what an earlier run left. The question has no field, and nothing of the answer is needed.
func runtimeReady(ctx context.Context) error {
	conn, err := grpc.NewClient("unix://"+containerdSocket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return conn.Invoke(ctx, "/runtime.v1.RuntimeService/Version", &emptypb.Empty{}, &emptypb.Empty{})
}

func (c *Cluster) kubelet(keys pki) component {
	spec := c.spec("kubelet", c.bin("kubelet"),
		"--config="+kubeletConfig(), "--kubeconfig="+keys.kubelet, "--hostname-override="+Name, "--node-ip="+nodeIP,
		"--root-dir="+dataDir("kubelet"), "--cert-dir="+dataDir("kubelet", "pki"),
		"--node-labels=topology.kubernetes.io/region=local,topology.kubernetes.io/zone=local-a",
	)
	spec.Files = []string{kubeletConfig()}
	return component{
		spec:    spec,
		ready:   httpReady(url("http", "127.0.0.1", kubeletHealthPort)+"/healthz", nil),
		timeout: time.Minute,
	}
}
