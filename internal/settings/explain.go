package settings

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/overlay"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// explain reports where a value of a key does not fit the type that it is read into, each place by its path. It tells
// whether it found any; values are left out where they may be secret.
func (p *problems) explain(key, raw string, of reflect.Type, hidden bool) bool {
	before := len(p.list)
	e := explainer{problems: p, hidden: hidden}
	if isText(of) {
		e.value(key, raw, of)
		return len(p.list) > before
	}
	decoder := json.NewDecoder(strings.NewReader(unquote(raw, of)))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	switch isBare := !strings.HasPrefix(strings.TrimSpace(raw), "["); {
	case of.Kind() == reflect.Slice && isBare && (err != nil || decoder.More()):
		e.noList(key, raw, of.Elem())
	case err == nil:
		e.value(key, value, of)
	}
	return len(p.list) > before
}

// isText reports whether a key of that type holds a text, not JSON.
func isText(of reflect.Type) bool {
	return of.Kind() == reflect.String || of.Kind() == reflect.Int ||
		reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

type explainer struct {
	*problems
	hidden bool
	// exact tells that the types are those of Kubernetes: names are case-sensitive, and a text is no number.
	exact bool
}

// refuse reports a value; want is what to write in its place, empty when that is not known.
func (e explainer) refuse(path string, value any, want, format string, args ...any) {
	fix := ""
	if want != "" {
		fix = e.change(path, want)
	}
	e.add(path, e.shown(path, value), fix, format, args...)
}

// shown is a value in an error; empty for an object, a list and what may be secret.
func (e explainer) shown(path string, value any) string {
	if e.hidden || strings.Contains(path, ".http.auth.") {
		return ""
	}
	switch value.(type) {
	case string, json.Number, bool:
		return fmt.Sprint(value)
	default:
		return ""
	}
}

func (e explainer) value(path string, value any, of reflect.Type) {
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case value == nil:
	case of == reflect.TypeFor[Overlay]():
		e.exact = true
		e.kind(path, value, reflect.TypeFor[corev1.PodTemplateSpec]())
	case of == reflect.TypeFor[Values]():
		e.texts(path, value)
	case of == reflect.TypeFor[model.Duration]():
		e.duration(path, value)
	case of == reflect.TypeFor[Latency]():
		if value != off && value != false {
			e.latency(path, value)
		}
	case reflect.PointerTo(of).Implements(reflect.TypeFor[json.Unmarshaler]()),
		reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		e.unmarshaled(path, value, of)
	default:
		e.kind(path, value, of)
	}
}

func (e explainer) kind(path string, value any, of reflect.Type) {
	switch of.Kind() {
	case reflect.Struct:
		e.object(path, value, of)
	case reflect.Map:
		if fields, ok := e.fields(path, value); ok {
			for _, name := range slices.Sorted(maps.Keys(fields)) {
				e.value(path+"."+name, fields[name], of.Elem())
			}
		}
	case reflect.Slice:
		items, ok := value.([]any)
		if !ok {
			e.noList(path, value, of.Elem())
		}
		for i, item := range items {
			e.value(fmt.Sprintf("%s[%d]", path, i), item, of.Elem())
		}
	case reflect.Float64:
		e.fraction(path, value)
	case reflect.Int, reflect.Int32, reflect.Int64:
		_, isText := value.(string)
		if _, err := strconv.Atoi(fmt.Sprint(value)); err != nil || isText && e.exact {
			e.refuse(path, value, e.meant(meantNumber, value), "not a whole number")
		}
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			e.refuse(path, value, e.meant(meantSwitch, value), "allowed are true or false")
		}
	case reflect.String:
		if _, ok := value.(string); !ok {
			e.refuse(path, value, "", "a text is needed")
		}
	}
}

func (e explainer) fields(path string, value any) (map[string]any, bool) {
	fields, ok := value.(map[string]any)
	if !ok {
		e.refuse(path, value, "", "an object is needed, such as {...}")
	}
	return fields, ok
}

// object checks every field of an object by its name and type.
func (e explainer) object(path string, value any, of reflect.Type) {
	given, ok := e.fields(path, value)
	if !ok {
		return
	}
	var names []string
	types := map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		// An embedded object has no name; its fields are visible themselves.
		if name != "" {
			names = append(names, name)
			types[e.folded(name)] = field.Type
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if e.exact && overlay.IsDirective(name) {
			continue
		}
		if known, ok := types[e.folded(name)]; ok {
			e.value(path+"."+name, given[name], known)
			continue
		}
		if of == reflect.TypeFor[HTTPConfig]() && e.foreignLogin(path, name) {
			continue
		}
		meant, allowed := "", "; allowed are "+strings.Join(names, ", ")
		// Prometheus' own logins may name files; here a secret of the stack takes their place.
		if guess := nearest(strings.TrimSuffix(name, "_file"), names); guess != "" {
			meant = "; did you mean " + guess + "?"
		}
		if e.exact {
			allowed = ""
			if meant == "" {
				meant = " of a " + of.Name()
			}
		}
		e.add(path+"."+name, "", e.remove(path+"."+name), "no such field%s%s", meant, allowed)
	}
}

// texts checks an object of texts by name, and knows the list of names and values that a pod of Kubernetes has.
func (e explainer) texts(path string, value any) {
	if list, ok := value.([]any); ok {
		fix := e.remove(path)
		for _, item := range list {
			entry, _ := item.(map[string]any)
			name, _ := entry["name"].(string)
			text, _ := entry["value"].(string)
			if e.hidden || !plainWord.MatchString(name) || !plainWord.MatchString(text) || redact.KindOf(name, text) != "" {
				name, text = "NAME", "VALUE"
			}
			fix += " && " + e.setPath(path+"."+name, text)
		}
		e.add(path, "", fix, "an object of names and texts is needed, such as {NAME: VALUE}, and no list")
		return
	}
	fields, _ := e.fields(path, value)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch fields[name].(type) {
		case map[string]any, []any:
			e.add(path+"."+name, "", e.setPath(path+"."+name, "VALUE"), "a text is needed, not an object or a list")
		}
	}
}

// folded is a name as it is compared: the decoder takes the names of settings in any case.
func (e explainer) folded(name string) string {
	if e.exact {
		return name
	}
	return strings.ToLower(name)
}

// unmarshaled asks the type itself.
func (e explainer) unmarshaled(path string, value any, of reflect.Type) {
	target := reflect.New(of).Interface()
	var err error
	if text, ok := value.(string); ok && isText(of) {
		if reader, ok := target.(encoding.TextUnmarshaler); ok {
			err = reader.UnmarshalText([]byte(text))
		}
	} else if encoded, encodeErr := json.Marshal(value); encodeErr == nil {
		err = json.Unmarshal(encoded, target)
	}
	if _, mismatch := errors.AsType[*json.UnmarshalTypeError](err); mismatch {
		err = errors.New("a text is needed")
	}
	if err != nil {
		want := ""
		if of == reflect.TypeFor[Weight]() || of.Kind() == reflect.Int {
			want = e.meant(meantNumber, value)
		}
		e.refuse(path, value, want, "%s", err)
	}
}

// meant is what a value was probably meant to be; empty where that is not known.
func (e explainer) meant(read func(string) string, value any) string {
	switch value.(type) {
	case string, json.Number, bool:
		if !e.hidden {
			return read(fmt.Sprint(value))
		}
	}
	return ""
}

// noList reports one value, or several in one text, where a list is needed.
func (e explainer) noList(path string, value any, of reflect.Type) {
	fix := ""
	if text := fmt.Sprint(value); !e.hidden && isScalar(of) {
		fix = e.meantList(path, text)
	}
	e.add(path, e.shown(path, value), fix, "a list is needed, such as [...]")
}

// latency knows the mistakes of a duration, and that 0 is none.
func (e explainer) latency(path string, value any) {
	if text, ok := value.(string); ok {
		if limit, err := model.ParseDuration(text); err == nil && limit == 0 {
			e.refuse(path, value, off, "must be more than 0; to do without a limit write %s", off)
			return
		}
	}
	if _, err := strconv.ParseUint(fmt.Sprint(value), 10, 32); err != nil {
		e.unmarshaled(path, value, reflect.TypeFor[Latency]())
		return
	}
	e.duration(path, value)
}

// duration knows the usual mistake: a number of seconds without a unit.
func (e explainer) duration(path string, value any) {
	text := fmt.Sprint(value)
	if _, err := model.ParseDuration(text); err == nil {
		if _, quoted := value.(string); quoted {
			return
		}
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		e.refuse(path, value, e.meant(meantDuration, value), "a duration is a number and a unit, such as 15s, 5m or 48h")
		return
	}
	hint := text + "s"
	switch {
	case seconds == 0:
	case seconds%3600 == 0:
		hint += fmt.Sprintf(" or %dh", seconds/3600)
	case seconds%60 == 0:
		hint += fmt.Sprintf(" or %dm", seconds/60)
	}
	e.refuse(path, value, text+"s", "a duration needs a unit: write %s", hint)
}

// fraction knows the usual mistake: a percentage. A field of the comparison with stable is a ratio, which may be above
// 1.
func (e explainer) fraction(path string, value any) {
	text := fmt.Sprint(value)
	if _, ok := value.(json.Number); ok {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return
		}
	}
	percent, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	number, err := strconv.ParseFloat(strings.TrimSpace(percent), 64)
	isRatio := strings.HasPrefix(path, "criteria.relative") || strings.HasPrefix(path, "floors.relative")
	if isPercent && err == nil && number > 0 && (number <= 100 || isRatio) {
		share := strconv.FormatFloat(number/100, 'g', 10, 64)
		what := "a share is a number from 0 to 1"
		if isRatio {
			what = "a ratio is a number"
		}
		e.refuse(path, value, share, "%s, not a percentage: write %s", what, share)
		return
	}
	e.refuse(path, value, e.meant(meantFraction, value), "not a number such as 0.05")
}

// nearest gives the candidate that a word was probably meant to be, empty when none is close.
func nearest(word string, candidates []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, candidate := range candidates {
		if away := distance(strings.ToLower(word), strings.ToLower(candidate)); away < least {
			best, least = candidate, away
		}
	}
	return best
}

// distance counts the letters that must be inserted, left out, replaced or swapped with their neighbour to make one
// word of another.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
