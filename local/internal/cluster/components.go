package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/util/cert"

	"github.com/vextrus/finance-rollout/local/internal/certs"
	"github.com/vextrus/finance-rollout/local/internal/process"
)

// component is one background process of the cluster.
type component struct {
	spec    process.Spec
	ready   func(context.Context) error
	timeout time.Duration
}

const (
	// daemonPath is the PATH of the cluster's processes, which call iptables, runc and the like.
	daemonPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// daemonMemory lets them collect garbage at five times the live memory in place of twice: processors are scarcer on
	// a small machine, and collecting is a fifth of what the API server does.
	daemonMemory = "GOGC=400"
)

// pki holds the cluster's certificates, keys and kubeconfigs.
type pki struct {
	ca                                  string
	etcd, apiserver, kubeletServer      certs.Pair
	apiserverClient, etcdClient         certs.Pair
	saPrivate, saPublic                 string
	controller, scheduler, kubelet, api string // kubeconfigs
	proxy, gateway                      string
	// Clients for the health checks of etcd and the API server.
	etcdHealth, apiHealth *http.Client
}

// issue makes all certificates, keys and kubeconfigs that do not exist yet.
func (c *Cluster) issue(now time.Time) (pki, error) {
	authority, err := certs.Open(c.Dir("pki"), now)
	if err != nil {
		return pki{}, err
	}
	keys := pki{ca: authority.Pair("ca").Cert}
	requests := []struct {
		into *certs.Pair
		certs.Request
	}{
		{&keys.etcd, certs.Request{Name: "etcd", CommonName: "etcd", IPs: ips("127.0.0.1")}},
		{&keys.etcdClient, certs.Request{Name: "etcd-client", CommonName: "kube-apiserver"}},
		{&keys.apiserver, certs.Request{
			Name: "apiserver", CommonName: "kube-apiserver", IPs: ips("127.0.0.1", nodeIP, serviceAPI),
			DNSNames: []string{
				"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
			},
		}},
		{&keys.apiserverClient, certs.Request{
			Name: "apiserver-kubelet", CommonName: "kube-apiserver", Organizations: []string{"system:masters"},
		}},
		{&keys.kubeletServer, certs.Request{
			Name: "kubelet-server", CommonName: "system:node:" + Name, Organizations: []string{"system:nodes"},
			DNSNames: []string{Name}, IPs: ips(nodeIP),
		}},
	}
	for _, request := range requests {
		if *request.into, err = authority.Issue(request.Request); err != nil {
			return pki{}, err
		}
	}
	if keys.saPrivate, keys.saPublic, err = authority.SigningKey("service-account"); err != nil {
		return pki{}, err
	}
	if keys.etcdHealth, err = trustingClient(keys.ca, keys.etcdClient); err != nil {
		return pki{}, err
	}
	if keys.apiHealth, err = trustingClient(keys.ca, keys.apiserverClient); err != nil {
		return pki{}, err
	}
	if err := c.writeKubeconfigs(authority, &keys); err != nil {
		return pki{}, err
	}
	return keys, nil
}

func (c *Cluster) writeKubeconfigs(authority *certs.Authority, keys *pki) error {
	if err := os.MkdirAll(c.Dir("kubeconfigs"), 0o700); err != nil {
		return err
	}
	users := []struct {
		path, name, user, group string
		into                    *string
	}{
		{c.internalKubeconfig(), "admin", "local-admin", "system:masters", &keys.api},
		{c.Dir("kubeconfigs", "controller-manager"), "controller-manager", "system:kube-controller-manager", "",
			&keys.controller},
		{c.Dir("kubeconfigs", "scheduler"), "scheduler", "system:kube-scheduler", "", &keys.scheduler},
		{c.Dir("kubeconfigs", "proxy"), "proxy", "system:kube-proxy", "", &keys.proxy},
		{c.Dir("kubeconfigs", gatewayUser), gatewayUser, gatewayUser, "", &keys.gateway},
		{c.Dir("kubeconfigs", "kubelet"), "kubelet", "system:node:" + Name, "system:nodes", &keys.kubelet},
	}
	for _, user := range users {
		request := certs.Request{Name: user.name, CommonName: user.user}
		if user.group != "" {
			request.Organizations = []string{user.group}
		}
		pair, err := authority.Issue(request)
		if err != nil {
			return err
		}
		if err := authority.Kubeconfig(user.path, Name, url("https", nodeIP, apiPort), pair); err != nil {
			return err
		}
		*user.into = user.path
	}
	// People reach the API server by a loopback address: when the cluster is down, their commands are refused at once
	// and send nothing to any network.
	return authority.Kubeconfig(c.Kubeconfig(), Name, url("https", "127.0.0.1", apiNodePort), authority.Pair("admin"))
}

// spec returns a process of the cluster with the flags in args.
func (c *Cluster) spec(name, path string, args ...string) process.Spec {
	return process.Spec{
		Name: name, Path: path, Args: args, Dir: "/", Env: []string{daemonPath, daemonMemory, "HOME=/root"},
		Cgroups: c.cgroups().System(),
	}
}

func (c *Cluster) registry() component {
	return component{
		spec:    c.spec("registry", c.bin("local"), "registry", "--listen", RegistryListen, "--dir", dataDir("registry")),
		ready:   httpReady("http://"+RegistryListen+"/v2/", nil),
		timeout: 20 * time.Second,
	}
}

func (c *Cluster) etcd(keys pki) component {
	client, peer := url("https", "127.0.0.1", etcdPort), url("http", "127.0.0.1", etcdPeerPort)
	return component{
		spec: c.spec("etcd", c.bin("etcd"),
			"--name=local", "--data-dir="+dataDir("etcd"),
			"--listen-client-urls="+client, "--advertise-client-urls="+client,
			"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=local="+peer,
			"--cert-file="+keys.etcd.Cert, "--key-file="+keys.etcd.Key,
			"--client-cert-auth", "--trusted-ca-file="+keys.ca,
			"--auto-compaction-retention=10m", "--quota-backend-bytes=2147483648", "--log-level=warn",
			// Nothing is lost when the process is killed, only when the machine is; the cluster is cheap to make again.
			"--unsafe-no-fsync",
		),
		ready:   httpReady(client+"/health", keys.etcdHealth),
		timeout: time.Minute,
	}
}

func (c *Cluster) apiserver(keys pki) component {
	return component{
		spec: c.spec("kube-apiserver", c.bin("kube-apiserver"),
			"--bind-address="+nodeIP, "--advertise-address="+nodeIP, fmt.Sprintf("--secure-port=%d", apiPort),
			// The Service default/kubernetes gets this node port: people's way in, on loopback only.
			fmt.Sprintf("--kubernetes-service-node-port=%d", apiNodePort),
			"--service-cluster-ip-range="+serviceNet, "--allow-privileged=true",
			"--etcd-servers="+url("https", "127.0.0.1", etcdPort),
			"--etcd-cafile="+keys.ca, "--etcd-certfile="+keys.etcdClient.Cert, "--etcd-keyfile="+keys.etcdClient.Key,
			"--tls-cert-file="+keys.apiserver.Cert, "--tls-private-key-file="+keys.apiserver.Key, "--client-ca-file="+keys.ca,
			"--kubelet-client-certificate="+keys.apiserverClient.Cert, "--kubelet-client-key="+keys.apiserverClient.Key,
			"--kubelet-certificate-authority="+keys.ca, "--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file="+keys.saPublic, "--service-account-signing-key-file="+keys.saPrivate,
			"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--profiling=false",
		),
		ready:   httpReady(url("https", nodeIP, apiPort)+"/readyz", keys.apiHealth),
		timeout: 2 * time.Minute,
	}
}

func (c *Cluster) controllerManager(keys pki) component {
	return component{
		spec: c.spec("kube-controller-manager", c.bin("kube-controller-manager"),
			"--kubeconfig="+keys.controller, "--authentication-kubeconfig="+keys.controller,
			"--authorization-kubeconfig="+keys.controller, "--authentication-skip-lookup",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", controllerPort),
			"--cert-dir="+dataDir("controller-manager"),
			"--root-ca-file="+keys.ca, "--service-account-private-key-file="+keys.saPrivate,
			"--use-service-account-credentials", "--leader-elect=false", "--profiling=false",
			"--flex-volume-plugin-dir="+dataDir("kubelet", "volume-plugins"),
		),
		ready:   httpReady(url("https", "127.0.0.1", controllerPort)+"/healthz", insecureClient()),
		timeout: time.Minute,
	}
}

func (c *Cluster) scheduler(keys pki) component {
	return component{
		spec: c.spec("kube-scheduler", c.bin("kube-scheduler"),
			"--kubeconfig="+keys.scheduler, "--authentication-kubeconfig="+keys.scheduler,
			"--authorization-kubeconfig="+keys.scheduler, "--authentication-skip-lookup",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", schedulerPort), "--cert-dir="+dataDir("scheduler"),
			"--leader-elect=false", "--profiling=false",
		),
		ready:   httpReady(url("https", "127.0.0.1", schedulerPort)+"/healthz", insecureClient()),
		timeout: time.Minute,
	}
}

func (c *Cluster) proxy(keys pki) component {
	return component{
		spec: c.spec("kube-proxy", c.bin("kube-proxy"),
			"--kubeconfig="+keys.proxy, "--hostname-override="+Name, "--proxy-mode=iptables", "--cluster-cidr="+podSubnet,
			"--nodeport-addresses=127.0.0.0/8", "--oom-score-adj=0",
			// Connection tracking is the machine's: its settings are left alone.
			"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
			fmt.Sprintf("--healthz-bind-address=127.0.0.1:%d", proxyHealthPort),
			fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", proxyMetricsPort),
		),
		ready:   httpReady(url("http", "127.0.0.1", proxyHealthPort)+"/healthz", nil),
		timeout: time.Minute,
	}
}

// httpReady returns a check that passes when the address answers 200.
func httpReady(address string, client *http.Client) func(context.Context) error {
	if client == nil {
		client = plainClient(nil)
	}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", address, response.Status)
		}
		return nil
	}
}

// trustingClient returns a client that trusts the authority and shows the certificate.
func trustingClient(ca string, pair certs.Pair) (*http.Client, error) {
	pool, err := cert.NewPool(ca)
	if err != nil {
		return nil, err
	}
	certificate, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, err
	}
	return plainClient(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate},
		MinVersion: tls.VersionTLS12}), nil
}

// insecureClient checks the health of components with self-signed certificates that listen on loopback only.
func insecureClient() *http.Client {
	return plainClient(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // see above
}

// plainClient returns a client that uses no proxy, whatever the environment says.
func plainClient(config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}
