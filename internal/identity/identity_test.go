package identity

import (
	"strings"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"
)

func build(t *testing.T, key string, password string) Identity {
	t.Helper()
	b := NewBuilder(Key(key))
	b.Plain(Image, "sha256:"+strings.Repeat("a", 64))
	b.HashedEach(Env, map[string]string{"NODE_ENV": "production"})
	b.Hashed(Secret+"finance-db-production", map[string]string{"password": password})
	b.Fields("resources", map[string]any{"limits": map[string]string{"memory": "1Gi", "cpu": ""}, "zero": 0})
	b.Plain("tmpSize", "")
	built, err := b.Identity()
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestIdentityNamesItsParts(t *testing.T) {
	got := build(t, "key", "one")
	for _, part := range []string{Image, "env.NODE_ENV", "secret.finance-db-production", "resources.limits.memory"} {
		if got[part] == "" {
			t.Errorf("no part %s in %v", part, got)
		}
	}
	if len(got) != 4 {
		t.Errorf("what is not set is a part: %v", got)
	}
}

func TestHashesTellIdentitiesApart(t *testing.T) {
	one, same, other := build(t, "key", "one"), build(t, "key", "one"), build(t, "key", "two")
	if one.Hash() != same.Hash() || one.Hash() == other.Hash() || one.Configuration() == other.Configuration() {
		t.Errorf("hashes %s %s %s", one.Hash(), same.Hash(), other.Hash())
	}
	newer := one.With("sha256:b")
	if one.Hash() == newer.Hash() || one.Configuration() != newer.Configuration() || one[Image] == newer[Image] {
		t.Error("the image belongs to the identity, and not to its configuration")
	}
	if Identity(nil).Hash() != "" || Identity(nil).Configuration() != "" || Identity(nil).With("x") != nil {
		t.Error("an unknown identity has a hash")
	}
}

// Without the key, the value that is hashed cannot be found by trying.
func TestAHashNeedsItsKey(t *testing.T) {
	if one, other := build(t, "key", "one"), build(t, "another", "one"); one["secret.finance-db-production"] ==
		other["secret.finance-db-production"] || one["env.NODE_ENV"] == other["env.NODE_ENV"] {
		t.Error("the hash is the same under another key")
	}
}

func TestNoValueOfASecretIsInAnIdentity(t *testing.T) {
	property := func(value string) bool {
		if len(value) < 12 {
			return true
		}
		for _, held := range build(t, "key", value) {
			if strings.Contains(held, value) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestChangesInWords(t *testing.T) {
	from := Identity{Image: "sha256:" + strings.Repeat("a", 64), "env.A": "1", "env.B": "2", "secret.finance-db": "3",
		"resources.limits.memory": "1Gi", "probes.startup.path": "/health", "secretEnv.P": "finance-db/password"}
	to := Identity{Image: "sha256:" + strings.Repeat("b", 64), "env.A": "9", "env.C": "2", "secret.finance-db": "4",
		"resources.limits.memory": "2Gi", "tmpSize": "1Gi", "secretEnv.P": "finance-db/password"}
	got := Describe(Changes(from, to))
	want := "image sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb, env.A changed, env.B removed, env.C added, " +
		"probes.startup.path removed, was /health, resources.limits.memory 1Gi -> 2Gi, secret finance-db changed, " +
		"tmpSize added: 1Gi"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if Changes(nil, to) != nil || Changes(from, nil) != nil || len(Changes(to, to)) != 0 {
		t.Error("changes where there are none")
	}
	if rest := OfConfiguration(Changes(from, to)); len(rest) != 7 || rest[0].Part == Image {
		t.Errorf("of the configuration: %v", rest)
	}
}
