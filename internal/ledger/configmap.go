package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/kube"
)

// ConfigMaps reads and writes ConfigMaps by compare-and-swap. The Client of internal/kube implements it.
type ConfigMaps interface {
	// ConfigMap gives the data and the resource version. Both are empty if the ConfigMap does not exist.
	ConfigMap(ctx context.Context, namespace, name string) (data map[string]string, version string, err error)
	// SwapConfigMap writes the data if the resource version is unchanged. Otherwise the error is kube.ErrConflict.
	SwapConfigMap(ctx context.Context, namespace, name string, data map[string]string, version string) error
}

// InConfigMap keeps a ledger in a ConfigMap.
type InConfigMap struct {
	Cluster         ConfigMaps
	Namespace, Name string
}

var (
	_ Store         = InConfigMap{}
	_ Authenticator = InConfigMap{}
)

// Account implements Authenticator where the cluster can be asked.
func (m InConfigMap) Account(ctx context.Context) string {
	if cluster, ok := m.Cluster.(Authenticator); ok {
		return cluster.Account(ctx)
	}
	return ""
}

// Load implements Store.
func (m InConfigMap) Load(ctx context.Context) (data map[string]string, version string, err error) {
	return m.Cluster.ConfigMap(ctx, m.Namespace, m.Name)
}

// Save implements Store.
func (m InConfigMap) Save(ctx context.Context, data map[string]string, version string) error {
	err := m.Cluster.SwapConfigMap(ctx, m.Namespace, m.Name, data, version)
	if errors.Is(err, kube.ErrConflict) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}
