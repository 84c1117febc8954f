package manifests

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/vextrus/finance-rollout/build/toolchain"
)

//go:embed gateway/*.yaml
var gatewayFiles embed.FS

// The definitions of the Gateway API come from its module, at the version that Traefik is built for.
const (
	gatewayModule = "sigs.k8s.io/gateway-api"
	gatewayCRDs   = "config/crd/standard/gateway.networking.k8s.io_*.yaml"
)

// GatewayValues fill the templates of the Gateway's manifests.
type GatewayValues struct {
	// Port is the port of the Gateway's listener.
	Port int
	// User is whom the Gateway's controller acts as.
	User string
}

// ApplyGateway applies the definitions of the Gateway API and a Gateway. toolsDir is the directory of the tools
// module that requires the Gateway API.
func (a *Applier) ApplyGateway(ctx context.Context, values GatewayValues, toolsDir string) error {
	dir, err := toolchain.ModuleDir(ctx, toolsDir, gatewayModule)
	if err != nil {
		return err
	}
	definitions, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(gatewayCRDs)))
	if err != nil {
		return err
	}
	if len(definitions) == 0 {
		return fmt.Errorf("module %s has no %s", gatewayModule, gatewayCRDs)
	}
	for _, definition := range definitions {
		content, err := os.ReadFile(definition)
		if err != nil {
			return err
		}
		if err := a.applyCRD(ctx, content); err != nil {
			return fmt.Errorf("apply %s: %w", filepath.Base(definition), err)
		}
	}
	objects, err := RenderGateway(values)
	if err != nil {
		return err
	}
	return a.applyAll(ctx, objects)
}

// RenderGateway returns the objects of the Gateway in the order in which they are to be applied.
func RenderGateway(values GatewayValues) ([]*unstructured.Unstructured, error) {
	return render(gatewayFiles, "gateway", values, nil)
}

// WaitGateway waits until every Gateway of the manifests has a controller that has set it up.
func (a *Applier) WaitGateway(ctx context.Context, values GatewayValues, timeout time.Duration) error {
	objects, err := RenderGateway(values)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if object.GetKind() != "Gateway" {
			continue
		}
		client, err := a.resource(object)
		if err != nil {
			return err
		}
		err = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
			current, err := client.Get(ctx, object.GetName(), metav1.GetOptions{})
			return err == nil && condition(current, "Programmed"), err
		})
		if wait.Interrupted(err) && ctx.Err() == nil {
			err = errors.New("its controller does not report that it is programmed")
		}
		if err != nil {
			return fmt.Errorf("gateway %s/%s: %w", object.GetNamespace(), object.GetName(), err)
		}
	}
	return nil
}
