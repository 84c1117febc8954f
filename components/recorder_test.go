package components

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// recorder is the SDK's mock monitor: it keeps the inputs of every resource, gives them back as outputs, and fails
// those of the type token in failing.
type recorder struct {
	failing string

	mu     sync.Mutex
	inputs map[string]resource.PropertyMap
	// ignored are the paths whose changes are ignored, by the resource's key.
	ignored map[string][]string
	// aliases are the earlier names of a resource, by its key.
	aliases map[string][]string
	// timeouts are how long the provider may take to create a resource and to update it, by the resource's key.
	timeouts map[string]string
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if args.TypeToken == r.failing {
		return "", nil, errors.New("refused by the test")
	}
	if r.inputs == nil {
		r.inputs, r.ignored, r.aliases = map[string]resource.PropertyMap{}, map[string][]string{}, map[string][]string{}
		r.timeouts = map[string]string{}
	}
	key := args.TypeToken + "/" + args.Name
	r.inputs[key] = args.Inputs
	if args.RegisterRPC != nil {
		r.ignored[key] = args.RegisterRPC.GetIgnoreChanges()
		if limits := args.RegisterRPC.GetCustomTimeouts(); limits.GetCreate() != "" {
			r.timeouts[key] = limits.GetCreate() + " " + limits.GetUpdate()
		}
		for _, alias := range args.RegisterRPC.GetAliases() {
			// The SDK adds the types of earlier API versions, without a name.
			if name := alias.GetSpec().GetName(); name != "" {
				r.aliases[key] = append(r.aliases[key], name)
			}
		}
	}
	return args.Name + "-id", args.Inputs, nil
}

func (r *recorder) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

// path reads a value by its dotted path; it fails the test when there is none.
func (r *recorder) path(t *testing.T, key, path string) any {
	t.Helper()
	inputs, ok := r.inputs[key]
	if !ok {
		var known []string
		for name := range r.inputs {
			known = append(known, name)
		}
		t.Fatalf("no resource %s among %s", key, strings.Join(known, ", "))
	}
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		t.Fatal(err)
	}
	value, ok := parsed.Get(resource.NewObjectProperty(inputs))
	if !ok {
		t.Fatalf("%s holds no %s: %v", key, path, inputs.Mappable())
	}
	return value.Mappable()
}

func run(t *testing.T, r *recorder, program pulumi.RunFunc) error {
	t.Helper()
	return pulumi.RunErr(program, pulumi.WithMocks("finance-rollout", "production", r))
}
