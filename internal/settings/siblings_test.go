package settings

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
)

// leaf is a field of the settings: its key, its path, and the JSON of the key that sets the field alone.
type leaf struct {
	key, path string
	of        reflect.Type
	with      func(value string) string
}

// leaves lists every field of every key by its path. A list is followed into its first entry.
func leaves() []leaf {
	var all []leaf
	var walk func(leaf)
	walk = func(at leaf) {
		of := at.of
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		at.of = of
		all = append(all, at)
		_, own := reflect.New(of).Interface().(json.Unmarshaler)
		switch {
		case own:
		case of.Kind() == reflect.Slice:
			inner := at
			inner.path, inner.of = at.path+"[0]", of.Elem()
			inner.with = func(value string) string { return at.with("[" + value + "]") }
			walk(inner)
		case of.Kind() == reflect.Struct:
			for _, field := range reflect.VisibleFields(of) {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if name == "" || name == "-" || !field.IsExported() {
					continue
				}
				inner := at
				inner.path, inner.of = at.path+"."+name, field.Type
				inner.with = func(value string) string { return at.with(fmt.Sprintf("{%q:%s}", name, value)) }
				walk(inner)
			}
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Settings]()) {
		if key := field.Tag.Get("config"); key != "" {
			walk(leaf{key, key, field.Type, func(value string) string { return value }})
		}
	}
	return all
}

// refusal is the error of a stack that sets the field.
func (l leaf) refusal(value string) string {
	_, err := Load("production", production(l.key, l.with(value)))
	if err == nil {
		return ""
	}
	return err.Error()
}

// expect fails the test unless the error of the value names the path and says all the words.
func (l leaf) expect(t *testing.T, value string, words ...string) {
	t.Helper()
	got := l.refusal(value)
	for _, word := range append(words, "config "+l.path) {
		if !strings.Contains(got, word) {
			t.Errorf("%s: %s: no %q in %q", l.path, value, word, got)
		}
	}
}

// A mistake that is explained for one field is explained for each of its kind.
func TestMistakesAreExplainedForEveryFieldOfTheKind(t *testing.T) {
	kinds := map[string]int{}
	for _, l := range leaves() {
		switch {
		case l.of == reflect.TypeFor[model.Duration](), l.of == reflect.TypeFor[Latency]():
			kinds["durations"]++
			l.expect(t, "300", "write 300s or 5m", "300s -s production")
			l.expect(t, `"soon"`, "a number and a unit")
		case l.of.Kind() == reflect.Float64 && strings.Contains(l.path, "relative"):
			kinds["ratios"]++
			l.expect(t, `"150%"`, "write 1.5", "1.5 -s production")
		case l.of.Kind() == reflect.Float64 && !strings.HasSuffix(l.path, ".limit"):
			kinds["shares"]++
			l.expect(t, `"5%"`, "write 0.05", "0.05 -s production")
			l.expect(t, `"few"`, "not a number")
		case l.of == reflect.TypeFor[Port]():
			kinds["ports"]++
			for _, wrong := range []string{`"http"`, `"8125/UDP"`, `"80-90"`} {
				l.expect(t, wrong, "whole number")
			}
		case l.of.Kind() == reflect.Bool:
			kinds["switches"]++
			l.expect(t, `"yes"`, "true or false")
		case l.of.Kind() == reflect.Struct && !strings.HasPrefix(l.path, "pod") &&
			!reflect.PointerTo(l.of).Implements(reflect.TypeFor[json.Unmarshaler]()):
			name := ""
			for _, field := range reflect.VisibleFields(l.of) {
				if name, _, _ = strings.Cut(field.Tag.Get("json"), ","); len(name) > 4 {
					break
				}
			}
			if len(name) < 5 {
				continue
			}
			kinds["objects"]++
			typo := name[:2] + name[3:]
			got := l.refusal(fmt.Sprintf("{%q:null}", typo))
			if !strings.Contains(got, l.path+"."+typo) || !strings.Contains(got, "did you mean "+name+"?") {
				t.Errorf("%s.%s: %q", l.path, typo, got)
			}
		}
	}
	for kind, least := range map[string]int{"durations": 16, "ratios": 2, "shares": 8, "ports": 5, "switches": 8,
		"objects": 40} {
		if kinds[kind] < least {
			t.Errorf("%d %s were looked at, want %d", kinds[kind], kind, least)
		}
	}
}

// A name that Kubernetes does not take is answered with one that it takes.
func TestNamesAreProposed(t *testing.T) {
	for _, name := range []struct{ key, raw, path, want string }{
		{"release", "v2.0.0", "release", "set release v2-0-0"},
		{"app", "Finance_Service", "app", "set app finance-service"},
		{"environment", "Prod EU", "environment", "set environment prod-eu"},
		{"namespace", "vextrus.production", "namespace", "set namespace vextrus-production"},
		{"serviceName", "Finance", "serviceName", "set serviceName finance"},
		{"stableVersion", "v1.9.3", "stableVersion", "set stableVersion v1-9-3"},
	} {
		_, err := Load("production", production(name.key, name.raw))
		if err == nil || !strings.Contains(err.Error(), "config "+name.path+" is") ||
			!strings.Contains(err.Error(), name.want+" -s production") {
			t.Errorf("%s %s: %v", name.key, name.raw, err)
		}
	}
	for gateway, want := range map[string]string{
		`{"namespace":"Infra","name":"public"}`:                             "--path gateway.namespace infra -s production",
		`{"namespace":"infra","name":"The Edge"}`:                           "--path gateway.name the-edge -s production",
		`{"route":"My Route"}`:                                              "--path gateway.route my-route -s production",
		`{"namespace":"infra","name":"public","sectionName":"web_1"}`:       "--path gateway.sectionName web-1 -s production",
		`{"namespace":"infra","name":"public","hostnames":["A_b.example"]}`: "gateway.hostnames[0]",
	} {
		_, err := Load("production", throughGateway("gateway", gateway))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: no %q in %v", gateway, want, err)
		}
	}
}
