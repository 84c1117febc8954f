package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// KeySize is the size of a key in bytes.
const KeySize = 32

// Key hashes what may be secret. It is random, one for each namespace, and lies in a Secret there: who may read it may
// read the secrets themselves. Without it the hash of a weak password gives no way to try passwords, wherever it is
// written; a salt that stands beside it, such as the UID of the namespace, would only slow that down.
type Key []byte

// valueLength is the number of hexadecimal digits of a value's hash.
const valueLength = 10

func (k Key) hash(part string, value any) (string, error) {
	mac := hmac.New(sha256.New, k)
	encoded, err := json.Marshal([]any{part, value})
	if err != nil {
		return "", fmt.Errorf("hash %s: %w", part, err)
	}
	mac.Write(encoded)
	return hex.EncodeToString(mac.Sum(nil))[:valueLength], nil
}

// Builder makes an identity part by part. It keeps the first error.
type Builder struct {
	key   Key
	parts Identity
	err   error
}

// NewBuilder makes identities with the key.
func NewBuilder(key Key) *Builder { return &Builder{key: key, parts: Identity{}} }

// Identity is what was built, or the first error.
func (b *Builder) Identity() (Identity, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.parts, nil
}

// Plain adds a part by its value; an empty one is absent.
func (b *Builder) Plain(part, value string) {
	if value != "" {
		b.parts[part] = value
	}
}

// Hashed adds a part by the keyed hash of its value.
func (b *Builder) Hashed(part string, value any) {
	hash, err := b.key.hash(part, value)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.parts[part] = hash
}

// HashedEach adds a part for each key.
func (b *Builder) HashedEach(prefix string, values map[string]string) {
	for key, value := range values {
		b.Hashed(prefix+key, value)
	}
}

// Fields adds a part for each field of a value with a JSON form, called by its path: resources.limits.memory. Empty
// fields are absent.
func (b *Builder) Fields(part string, value any) {
	encoded, err := json.Marshal(value)
	var read any
	if err == nil {
		err = json.Unmarshal(encoded, &read)
	}
	if err != nil {
		if b.err == nil {
			b.err = fmt.Errorf("fields of %s: %w", part, err)
		}
		return
	}
	b.fields(part, read)
}

func (b *Builder) fields(part string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			b.fields(part+"."+key, value[key])
		}
	case []any:
		for i, item := range value {
			b.fields(fmt.Sprintf("%s[%d]", part, i), item)
		}
	case nil:
	default:
		if text := fmt.Sprint(value); text != "" && text != "0" {
			b.parts[part] = text
		}
	}
}

// hashed begins the names of the parts that are in an identity as a hash.
var hashed = []string{Env, Config, Secret, "command", "args", "annotations.", "pod"}

func isHashed(part string) bool {
	return slices.ContainsFunc(hashed, func(prefix string) bool { return strings.HasPrefix(part, prefix) })
}
