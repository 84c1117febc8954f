package program

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// configuration reads the stack's configuration.
type configuration struct {
	ctx   *pulumi.Context
	scope scope
}

// namespace is where the keys lie.
func (c configuration) namespace() string { return cmp.Or(c.scope.config, c.ctx.Project()) }

func (c configuration) Get(key string) (string, bool) {
	return c.ctx.GetConfig(c.namespace() + ":" + key)
}

func (c configuration) IsSecret(key string) bool {
	return c.ctx.IsConfigSecret(c.namespace() + ":" + key)
}

// Keys lists the keys of the namespace. The SDK has no list; the engine hands the whole configuration
// over in the environment.
func (c configuration) Keys() []string {
	var keys []string
	for key := range everything() {
		if name, ours := strings.CutPrefix(key, c.namespace()+":"); ours {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return keys
}

// namespaces lists all namespaces of the stack's configuration, sorted.
func (configuration) namespaces() []string {
	var list []string
	for key := range everything() {
		namespace, _, _ := strings.Cut(key, ":")
		list = append(list, namespace)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// everything is the stack's configuration by keys with their namespaces; nothing where the engine hands over none.
func everything() map[string]string {
	var values map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(pulumi.EnvConfig)), &values); err != nil {
		return nil
	}
	return values
}
