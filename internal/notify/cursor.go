package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Cluster keeps the cursors in a ConfigMap of their own. The Client of internal/kube implements it.
type Cluster interface {
	// ConfigMap gives the data and the resource version. Both are empty if the ConfigMap does not exist.
	ConfigMap(ctx context.Context, namespace, name string) (data map[string]string, version string, err error)
	// SwapCursors writes the data if the resource version is unchanged; otherwise it fails.
	SwapCursors(ctx context.Context, namespace, name string, data map[string]string, version string) error
}

// cursor is how far a webhook was told of a ledger: the last entry whose event it got, or that tells nobody. Time finds
// the place in a ledger that was started anew.
type cursor struct {
	ledger.Head
	Time time.Time `json:"time"`
}

// cursors are the cursors of a rollout's webhooks.
type cursors struct {
	cluster         Cluster
	namespace, name string
	// wanted are the names of the webhooks that exist. The cursors of others are dropped at the next write.
	wanted map[string]bool
	mu     sync.Mutex
}

// cursorName is the name of a webhook's cursor. The address itself may hold a token.
func cursorName(address string) string {
	sum := sha256.Sum256([]byte(address))
	return "webhook-" + hex.EncodeToString(sum[:8])
}

// load gives the cursor of a name. The second result is false when there is none.
func (c *cursors) load(ctx context.Context, name string) (cursor, bool, error) {
	data, _, err := c.cluster.ConfigMap(ctx, c.namespace, c.name)
	if err != nil || data[name] == "" {
		return cursor{}, false, err
	}
	var read cursor
	if err := json.Unmarshal([]byte(data[name]), &read); err != nil {
		return cursor{}, false, fmt.Errorf("configmap %s/%s: its key %s is no cursor: %w: delete the key", c.namespace,
			c.name, name, err)
	}
	return read, true, nil
}

// swapTries bounds the tries of one write. Two guards write at once only while the leadership changes.
const swapTries = 3

// save writes the cursor of a name.
func (c *cursors) save(ctx context.Context, name string, value cursor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode a cursor: %w", err)
	}
	for try := 1; ; try++ {
		data, version, err := c.cluster.ConfigMap(ctx, c.namespace, c.name)
		if err != nil {
			return err
		}
		next := maps.Clone(data)
		if next == nil {
			next = map[string]string{}
		}
		maps.DeleteFunc(next, func(name, _ string) bool { return !c.wanted[name] })
		next[name] = string(encoded)
		if err = c.cluster.SwapCursors(ctx, c.namespace, c.name, next, version); err == nil || try == swapTries ||
			ctx.Err() != nil {
			return err
		}
	}
}
