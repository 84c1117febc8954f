package project

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cli is a Pulumi CLI that keeps the secrets of one stack.
type cli struct {
	secrets map[string]map[string]string
	args    []string
	set     []string
	broken  bool
}

func (c *cli) run(_ context.Context, input string, args ...string) (string, error) {
	c.args = append(c.args, strings.Join(args, " "))
	switch {
	case slices.Contains(args, "--show-secrets"):
		if c.broken {
			return "s3cr3t-value, and no JSON", nil
		}
		config := map[string]map[string]any{"finance-rollout:week": {"value": "1", "secret": false}}
		if c.secrets != nil {
			encoded, err := json.Marshal(c.secrets)
			if err != nil {
				return "", err
			}
			config["finance-rollout:secrets"] = map[string]any{"value": string(encoded), "objectValue": c.secrets,
				"secret": true}
		}
		printed, err := json.Marshal(config)
		return string(printed), err
	case slices.Contains(args, "set"):
		c.set = append(c.set, args[len(args)-1]+"="+input)
	}
	return "", nil
}

func TestSecretsAreSetWhereTheyAreMissingOrOthers(t *testing.T) {
	options := Options{Secrets: map[string]string{"secrets.finance-db.password": "s3cr3t-value",
		"secrets.finance-db.username": "app"}}
	both := []string{"secrets.finance-db.password=s3cr3t-value", "secrets.finance-db.username=app"}
	for name, tt := range map[string]struct {
		before map[string]map[string]string
		want   []string
	}{
		"nothing there": {nil, slices.Concat(both, both)},
		"the same": {map[string]map[string]string{"finance-db": {"password": "s3cr3t-value", "username": "app"}},
			nil},
		"another password": {map[string]map[string]string{"finance-db": {"password": "old", "username": "app"}},
			[]string{both[0], both[0]}},
	} {
		t.Run(name, func(t *testing.T) {
			pulumi := &cli{secrets: tt.before}
			if err := Init(t.Context(), options, pulumi.run); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, pulumi.set); diff != "" {
				t.Errorf("set (-want +got)\n%s", diff)
			}
			if all := strings.Join(pulumi.args, "\n"); strings.Contains(all, "s3cr3t-value") {
				t.Errorf("a secret is an argument:\n%s", all)
			}
		})
	}
}

func TestAnErrorShowsNoSecret(t *testing.T) {
	err := Init(t.Context(), Options{}, (&cli{broken: true}).run)
	if err == nil || strings.Contains(err.Error(), "s3cr3t-value") {
		t.Errorf("error %v", err)
	}
}
