package prcomment

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"github.com/vextrus/finance-rollout/internal/redact"
)

// Property is a value that an update would change. Before or After is empty where there is none.
type Property struct {
	Path, Before, After string
}

// The texts that replace a value which is not shown.
const (
	hiddenSecret  = "(secret)"
	hiddenLooks   = "(hidden: looks like a credential)"
	hiddenUnknown = "(known after the update)"
)

// compare lists what differs between two sets of inputs, by the paths of the leaves. Lists of named things, such as
// variables of a container, are compared by name and not by position: one more in front does not change all that
// follow.
func compare(kind string, before, after map[string]any, detailed map[string]apitype.PropertyDiff) []Property {
	old, young := leaves{}, leaves{}
	old.collect("", before)
	young.collect("", after)
	var changed []Property
	for _, path := range union(old, young) {
		if old[path] != young[path] {
			changed = append(changed, Property{path, show(kind, path, old[path]), show(kind, path, young[path])})
		}
	}
	return append(changed, changedSecrets(old, young, detailed)...)
}

// changedSecrets lists the secrets that differ. Their values are blinded, and look the same before and after; that
// they changed is told by the provider's diff alone.
func changedSecrets(old, young leaves, detailed map[string]apitype.PropertyDiff) []Property {
	var changed []Property
	for _, path := range slices.Sorted(maps.Keys(detailed)) {
		within := func(secret string) bool { return path == secret || strings.HasPrefix(path, secret+".") }
		for _, secret := range union(old, young) {
			if old[secret].secret && young[secret].secret && within(secret) {
				changed = append(changed, Property{path, hiddenSecret, hiddenSecret})
			}
		}
	}
	return changed
}

func union(a, b leaves) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// leaf is a value without parts.
type leaf struct {
	text   string
	secret bool
	// there tells an empty text from no value.
	there bool
}

// leaves are the values of a resource by path.
type leaves map[string]leaf

func (l leaves) collect(path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		if value[resource.SigKey] != nil {
			l[path] = leaf{text: hiddenSecret, secret: true, there: true}
			return
		}
		for key, inner := range value {
			l.collect(join(path, key), inner)
		}
	case []any:
		for i, inner := range value {
			l.collect(path+"["+nameIn(inner, value, i)+"]", inner)
		}
	case nil:
	default:
		l[path] = leaf{text: plainText(value), there: true}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// nameIn is how an element of a list is called: by its name, when every element has one of its own, else by its
// position.
func nameIn(element any, list []any, position int) string {
	seen := map[string]bool{}
	for _, sibling := range list {
		name := nameOf(sibling)
		if name == "" || seen[name] {
			return strconv.Itoa(position)
		}
		seen[name] = true
	}
	return nameOf(element)
}

func nameOf(element any) string {
	fields, _ := element.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}

func plainText(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	default:
		return fmt.Sprint(value)
	}
}

// show gives a value as it may be seen.
func show(kind, path string, value leaf) string {
	switch {
	case !value.there:
		return ""
	case value.secret, strings.HasSuffix(kind, ":Secret") && isData(path):
		return hiddenSecret
	case value.text == plugin.UnknownStringValue:
		return hiddenUnknown
	case redact.KindOf(lastName(path), value.text) != "":
		return hiddenLooks
	}
	return cmp.Or(value.text, `""`)
}

func isData(path string) bool {
	return strings.HasPrefix(path, "data") || strings.HasPrefix(path, "stringData")
}

// lastName is the name of a value: of a variable of a container, the variable's.
func lastName(path string) string {
	path = strings.TrimSuffix(path, ".value")
	if strings.HasSuffix(path, "]") {
		return strings.TrimSuffix(path[strings.LastIndex(path, "[")+1:], "]")
	}
	return path[strings.LastIndex(path, ".")+1:]
}
