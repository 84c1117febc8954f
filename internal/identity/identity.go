// Package identity says what a release is: everything that shapes its pods, part by part, and a short hash over it all.
// Counts and weights are no part of it: a release keeps its identity while it goes from stage to stage.
//
// The package is pure. What may be secret is in an identity as a keyed hash alone, so that identities can be written
// down where many may read them: in the ledger, in a label, in an event. See [Key].
package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Image is the part with the digest of the service's image.
const Image = "image"

// Prefixes of the names of parts. The rest of the name is the key of a variable or the name of a secret.
const (
	Env       = "env."
	SecretEnv = "secretEnv."
	Config    = "config."
	Secret    = "secret."
)

// Identity is what shapes the pods of a release: values by the names of their parts. A part that is not set is absent.
// A nil identity is unknown: the ledgers of earlier versions have none.
type Identity map[string]string

// hashLength is the number of hexadecimal digits of an identity's hash. It tells identities apart, and is short enough
// to be read aloud.
const hashLength = 10

// Hash is the short form of the identity; empty when it is unknown.
func (i Identity) Hash() string {
	if i == nil {
		return ""
	}
	return sum(i)
}

// Configuration is the short form of everything but the image; empty when the identity is unknown.
func (i Identity) Configuration() string {
	if i == nil {
		return ""
	}
	return sum(i.without(Image))
}

// With is the identity with another image.
func (i Identity) With(image string) Identity {
	if i == nil {
		return nil
	}
	changed := maps.Clone(i)
	changed[Image] = image
	return changed
}

func (i Identity) without(part string) Identity {
	rest := maps.Clone(i)
	delete(rest, part)
	return rest
}

// Under gives the parts whose names begin with the prefix.
func (i Identity) Under(prefix string) Identity {
	parts := Identity{}
	for part, value := range i {
		if strings.HasPrefix(part, prefix) {
			parts[part] = value
		}
	}
	return parts
}

// sum hashes parts by their JSON form, whose keys are sorted. Texts always have one.
func sum(parts Identity) string {
	encoded, _ := json.Marshal(map[string]string(parts))
	hash := sha256.Sum256(encoded)
	return hex.EncodeToString(hash[:])[:hashLength]
}

// Change is a part in which two identities differ. From and To are empty where the part is absent.
type Change struct{ Part, From, To string }

// Changes are the parts in which two identities differ, the image first and the others by their names. There are none
// where one of them is unknown.
func Changes(from, to Identity) []Change {
	if from == nil || to == nil {
		return nil
	}
	var changes []Change
	for part := range maps.Keys(from) {
		if to[part] != from[part] {
			changes = append(changes, Change{Part: part, From: from[part], To: to[part]})
		}
	}
	for part, value := range to {
		if _, both := from[part]; !both {
			changes = append(changes, Change{Part: part, To: value})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int {
		switch {
		case a.Part == b.Part:
			return 0
		case a.Part == Image:
			return -1
		case b.Part == Image:
			return 1
		}
		return strings.Compare(a.Part, b.Part)
	})
	return changes
}

// OfConfiguration leaves the image out of changes.
func OfConfiguration(changes []Change) []Change {
	return slices.DeleteFunc(slices.Clone(changes), func(change Change) bool { return change.Part == Image })
}

// String is the change in words. Values are named where they are no secret to anybody who reads the ledger: amounts,
// times, paths and references. A variable and a secret are named by their keys alone.
func (c Change) String() string {
	name := strings.Replace(c.Part, Secret, "secret ", 1)
	switch {
	case isHashed(c.Part) && c.From == "":
		return name + " added"
	case isHashed(c.Part) && c.To == "":
		return name + " removed"
	case isHashed(c.Part):
		return name + " changed"
	case c.From == "":
		return fmt.Sprintf("%s added: %s", name, c.To)
	case c.To == "":
		return fmt.Sprintf("%s removed, was %s", name, c.From)
	default:
		return fmt.Sprintf("%s %s -> %s", name, short(c.From), short(c.To))
	}
}

// Describe lists changes in one line; empty for none.
func Describe(changes []Change) string {
	words := make([]string, len(changes))
	for i, change := range changes {
		words[i] = change.String()
	}
	return strings.Join(words, ", ")
}

// short is a digest cut to the length that people compare; any other value as it is.
func short(value string) string {
	const digits = 12
	if algorithm, hash, ok := strings.Cut(value, ":"); ok && algorithm == "sha256" && len(hash) > digits {
		return algorithm + ":" + hash[:digits]
	}
	return value
}

// ObjectName is the name of the Secret or the ConfigMap that holds a part's content.
func ObjectName(base, content string) string { return base + "-" + content }

// ConfigHash names the content of the configuration's ConfigMap.
func (i Identity) ConfigHash() string { return sum(i.Under(Config)) }
