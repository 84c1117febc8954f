package program

import (
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// configuration reads the stack's configuration.
type configuration struct{ ctx *pulumi.Context }

func (c configuration) Get(key string) (string, bool) {
	return c.ctx.GetConfig(c.ctx.Project() + ":" + key)
}

func (c configuration) IsSecret(key string) bool {
	return c.ctx.IsConfigSecret(c.ctx.Project() + ":" + key)
}

// Keys lists the keys of the program's own namespace. The SDK has no list; the engine hands the whole configuration
// over in the environment.
func (c configuration) Keys() []string {
	var values map[string]string
	if err := json.Unmarshal([]byte(os.Getenv(pulumi.EnvConfig)), &values); err != nil {
		return nil
	}
	var keys []string
	for key := range values {
		if name, own := strings.CutPrefix(key, c.ctx.Project()+":"); own {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return keys
}
