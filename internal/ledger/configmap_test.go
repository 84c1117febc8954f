package ledger

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/vextrus/finance-rollout/internal/kube"
)

// cluster is an API server with one ConfigMap, whose version is a conflict or another failure at the next swaps.
type cluster struct {
	memory
	t     *testing.T
	fails []error
}

func (c *cluster) asked(namespace, name string) {
	c.t.Helper()
	if namespace != "shop" || name != "orders-ledger" {
		c.t.Errorf("asked for %s/%s", namespace, name)
	}
}

func (c *cluster) ConfigMap(ctx context.Context, namespace, name string) (map[string]string, string, error) {
	c.asked(namespace, name)
	return c.Load(ctx)
}

func (c *cluster) SwapConfigMap(ctx context.Context, namespace, name string, data map[string]string,
	version string) error {
	c.asked(namespace, name)
	if len(c.fails) > 0 {
		err := c.fails[0]
		c.fails = c.fails[1:]
		return err
	}
	return c.Save(ctx, data, version)
}

// named is a cluster that knows the writer.
type named struct{ cluster }

func (*named) Account(context.Context) string { return "system:serviceaccount:shop:orders-guard" }

// A swap that somebody else was faster with is repeated on what they wrote.
func TestAConflictInTheClusterIsRepeated(t *testing.T) {
	server := &cluster{t: t, fails: []error{fmt.Errorf("swap: %w", kube.ErrConflict)}}
	store := InConfigMap{Cluster: server, Namespace: "shop", Name: "orders-ledger"}
	decided := 0
	_, err := Append(t.Context(), store, clock(), func(*Ledger) ([]Entry, error) {
		decided++
		return []Entry{begun(onTrial, 0, 10)}, nil
	})
	if err != nil || decided != 2 {
		t.Errorf("decided %d times, error %v", decided, err)
	}
	history, err := Read(t.Context(), store)
	if err != nil || len(history.Entries()) != 1 || history.Entries()[0].Account != "" {
		t.Errorf("%v, %v", history, err)
	}
}

// Another failure of the API server is no conflict: nobody knows what a second try would do.
func TestAFailureOfTheClusterIsNotRepeated(t *testing.T) {
	forbidden := errors.New("configmaps is forbidden")
	server := &cluster{t: t, fails: []error{forbidden}}
	store := InConfigMap{Cluster: server, Namespace: "shop", Name: "orders-ledger"}
	_, err := Write(t.Context(), store, clock(), begun(onTrial, 0, 10))
	if !errors.Is(err, forbidden) || errors.Is(err, ErrConflict) || server.version != 0 {
		t.Errorf("error %v, version %d", err, server.version)
	}
}

func TestTheClusterNamesTheAuthor(t *testing.T) {
	server := &named{cluster{t: t}}
	store := InConfigMap{Cluster: server, Namespace: "shop", Name: "orders-ledger"}
	history := write(t, store, clock(), begun(onTrial, 0, 10))
	if got, want := history.Entries()[0].Author(), "ann (system:serviceaccount:shop:orders-guard)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
