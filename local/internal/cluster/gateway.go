package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/vextrus/finance-rollout/build/progress"
	"github.com/vextrus/finance-rollout/local/internal/manifests"
)

const (
	// traefik is the process behind the Gateway, and the tool that it is.
	traefik = "traefik"
	// gatewayUser is whom it acts as.
	gatewayUser = "traefik"
)

// startGateway adds the Gateway API and the Gateway gateway/edge to the running cluster. Traefik is a process of this
// machine, which reaches the pods over the bridge and listens on 127.0.0.1 alone.
func (c *Cluster) startGateway(ctx context.Context, keys pki) error {
	applier, err := manifests.NewApplier(c.internalKubeconfig())
	if err != nil {
		return err
	}
	values := manifests.GatewayValues{Port: gatewayPort, User: gatewayUser}
	err = c.progress.Run("apply the Gateway API", func(*progress.Task) error {
		return applier.ApplyGateway(ctx, values, filepath.Join(c.root, "local", "tools", "traefik"))
	})
	if err != nil {
		return err
	}
	if err := c.start(ctx, c.traefik(keys)); err != nil {
		return err
	}
	return c.progress.Run("wait for the Gateway", func(*progress.Task) error {
		return applier.WaitGateway(ctx, values,
			time.Minute)
	})
}

func (c *Cluster) traefik(keys pki) component {
	spec := c.spec(traefik, c.bin(traefik),
		"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=WARN",
		fmt.Sprintf("--entrypoints.web.address=127.0.0.1:%d", gatewayPort),
		fmt.Sprintf("--entrypoints.traefik.address=127.0.0.1:%d", gatewayPingPort), "--ping=true",
		"--providers.kubernetesgateway=true",
		// How long after a change of the cluster the next one may be taken over: with the default of two seconds, a route
		// would be reported as accepted that long before it is.
		"--providers.providersthrottleduration=50ms",
	)
	spec.Env = append(spec.Env, "KUBECONFIG="+keys.gateway)
	return component{spec: spec, ready: httpReady(url("http", "127.0.0.1", gatewayPingPort)+"/ping", nil),
		timeout: time.Minute}
}

// gatewayURL is where requests enter the Gateway; empty while it does not run.
func (c *Cluster) gatewayURL() string {
	if !c.supervisor().Alive(traefik) {
		return ""
	}
	return url("http", "127.0.0.1", gatewayPort)
}
