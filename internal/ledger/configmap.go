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

// Annotations reads and writes an annotation of a ConfigMap. The Client of internal/kube implements it.
type Annotations interface {
	// ConfigMapAnnotation gives the annotation; empty when it or the ConfigMap does not exist.
	ConfigMapAnnotation(ctx context.Context, namespace, name, key string) (string, error)
	// AnnotateConfigMap sets the annotation of a ConfigMap that exists, and does nothing otherwise.
	AnnotateConfigMap(ctx context.Context, namespace, name, key, value string) error
}

// InConfigMap keeps a ledger in a ConfigMap.
type InConfigMap struct {
	Cluster         ConfigMaps
	Namespace, Name string
	// Record is the ConfigMap that keeps the ledger's head in an annotation: the release record. It is empty for none, and
	// counts where Cluster implements [Annotations].
	Record string
	// Remembered is a head that was seen elsewhere; the zero head for none.
	Remembered Head
	// Signature is how the ledger is signed; the zero value for a ledger that is not.
	Signature Signing
}

var (
	_ Store         = InConfigMap{}
	_ Authenticator = InConfigMap{}
	_ Witness       = InConfigMap{}
	_ Signed        = InConfigMap{}
)

// HeadAnnotation is the annotation of the release record that holds the ledger's head.
const HeadAnnotation = "finance-rollout/ledger-head"

// Seen implements Witness.
func (m InConfigMap) Seen(ctx context.Context) ([]Head, error) {
	heads := []Head{m.Remembered}
	record, ok := m.Cluster.(Annotations)
	if !ok || m.Record == "" {
		return heads, nil
	}
	text, err := record.ConfigMapAnnotation(ctx, m.Namespace, m.Record, HeadAnnotation)
	if err != nil {
		return nil, err
	}
	head, err := ParseHead(text)
	if err != nil {
		return nil, fmt.Errorf("annotation %s of configmap %s/%s: %w: remove it with `kubectl annotate configmap %s %s- "+
			"-n %s`", HeadAnnotation, m.Namespace, m.Record, err, m.Record, HeadAnnotation, m.Namespace)
	}
	return append(heads, head), nil
}

// Keep implements Witness.
func (m InConfigMap) Keep(ctx context.Context, head Head) error {
	record, ok := m.Cluster.(Annotations)
	if !ok || m.Record == "" {
		return nil
	}
	return record.AnnotateConfigMap(ctx, m.Namespace, m.Record, HeadAnnotation, head.String())
}

// Signing implements Signed. The signature of another namespace's ledger is none of this one.
func (m InConfigMap) Signing() Signing {
	signing := m.Signature
	signing.Subject = m.Namespace + "/" + m.Name
	return signing
}

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
