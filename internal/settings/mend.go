package settings

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vextrus/finance-rollout/internal/redact"
)

// usual is the command for a problem that names none: the default in place of what was given, or a value to fill in.
// An object or a list without a default is taken out.
func (p *problems) usual(key string) string {
	of, standard := defaultAt(key)
	switch {
	case of == nil:
		return p.remove(key)
	case standard != "":
		return p.change(key, quoted(standard))
	case isScalar(of):
		return p.change(key, "VALUE")
	default:
		return p.remove(key)
	}
}

// defaultAt is the type of a setting, by its key and the path below it, and the text of its default. The type is nil
// where there is no such setting, and the text is empty where it has none that one word could say.
func defaultAt(path string) (reflect.Type, string) {
	head, rest, _ := strings.Cut(path, ".")
	head, index, _ := strings.Cut(head, "[")
	value := reflect.ValueOf(Defaults()).Elem()
	var at reflect.Value
	for _, field := range reflect.VisibleFields(value.Type()) {
		if field.Tag.Get("config") == head {
			at = value.FieldByIndex(field.Index)
		}
	}
	for rest != "" && index == "" && at.IsValid() {
		if at.Kind() != reflect.Struct {
			return nil, ""
		}
		head, rest, _ = strings.Cut(rest, ".")
		head, index, _ = strings.Cut(head, "[")
		at = fieldNamed(at, head)
	}
	if !at.IsValid() || index != "" {
		return nil, ""
	}
	return at.Type(), textOf(at)
}

// fieldNamed is the field of an object by its name in JSON.
func fieldNamed(of reflect.Value, name string) reflect.Value {
	for _, field := range reflect.VisibleFields(of.Type()) {
		if tagged, _, _ := strings.Cut(field.Tag.Get("json"), ","); tagged == name && name != "" {
			return of.FieldByIndex(field.Index)
		}
	}
	return reflect.Value{}
}

func isScalar(of reflect.Type) bool {
	switch of.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Pointer:
		return reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	default:
		return true
	}
}

// textOf is a scalar as a command takes it; empty for what is not set.
func textOf(value reflect.Value) string {
	if !isScalar(value.Type()) || value.IsZero() {
		return ""
	}
	if named, ok := value.Interface().(fmt.Stringer); ok {
		return named.String()
	}
	return fmt.Sprint(value.Interface())
}

// quoted is a value as a shell takes it for one word.
func quoted(value string) string {
	if plainWord.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

var oneNumber = regexp.MustCompile(`^[^0-9-]*(-?[0-9]+)[^0-9]*$`)

// meantNumber is the one whole number in a text, such as 30 in "30%"; empty for none.
func meantNumber(text string) string {
	match := oneNumber.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return match[1]
}

// meantSwitch reads the words that other programs take for true and false.
func meantSwitch(text string) string {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "y", "on", "1", "enabled":
		return "true"
	case "false", "no", "n", "off", "0", "disabled", "none":
		return "false"
	default:
		return ""
	}
}

var (
	timeInWords = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)([a-z]+)$`)
	timeUnits   = map[string]time.Duration{
		"ms": time.Millisecond, "msec": time.Millisecond, "millisecond": time.Millisecond,
		"s": time.Second, "sec": time.Second, "second": time.Second,
		"m": time.Minute, "min": time.Minute, "minute": time.Minute,
		"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "d": 24 * time.Hour, "day": 24 * time.Hour,
		"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour,
	}
)

// meantDuration reads a time as people and other programs write it: 5 minutes, 1.5h, 1h 30m, PT5M; empty for none.
func meantDuration(text string) string {
	compact := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	if standard, ok := strings.CutPrefix(compact, "pt"); ok {
		compact = standard
	}
	if length, err := model.ParseDuration(compact); err == nil {
		return length.String()
	}
	match := timeInWords.FindStringSubmatch(compact)
	if match == nil {
		return ""
	}
	unit, known := timeUnits[match[2]]
	if !known {
		unit, known = timeUnits[strings.TrimSuffix(match[2], "s")]
	}
	count, err := strconv.ParseFloat(match[1], 64)
	length := time.Duration(count * float64(unit)).Round(time.Millisecond)
	if err != nil || !known || length <= 0 {
		return ""
	}
	return model.Duration(length).String()
}

// meantFraction reads a number that JSON does not, such as 0,05 and .05; empty for none.
func meantFraction(text string) string {
	number, err := strconv.ParseFloat(strings.Replace(strings.TrimSpace(text), ",", ".", 1), 64)
	if err != nil || number <= 0 || number >= 1 {
		return ""
	}
	return strconv.FormatFloat(number, 'g', 10, 64)
}

// meantList are the commands that write a text as a list; empty where its parts are no plain words.
func (p *problems) meantList(path, text string) string {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' })
	fix := p.remove(path)
	for i, part := range parts {
		if !plainWord.MatchString(part) || redact.Kind(part) != "" {
			return ""
		}
		fix += " && " + p.setPath(fmt.Sprintf("%s[%d]", path, i), part)
	}
	if len(parts) == 0 {
		return ""
	}
	return fix
}

var byteUnits = regexp.MustCompile(`(?i)^([0-9]+(?:\.[0-9]+)?)\s*([kmgt])(?:i?b?)$`)

// meantQuantity is a quantity as Kubernetes writes it, of a text as people and other programs write it; the usual one
// where that is not known.
func meantQuantity(name, text string) string {
	text = strings.TrimSpace(text)
	if name != "cpu" {
		return cmp.Or(meantBytes(text), "1Gi")
	}
	if number := meantNumber(text); number != "" && !strings.HasPrefix(number, "-") {
		if whole, err := strconv.Atoi(number); err == nil && whole >= mostProcessors {
			return number + "m"
		}
		return number
	}
	return "500m"
}

// meantSize is the size of a volume as Kubernetes writes it; the usual one of /tmp where that is not known.
func meantSize(text string) string {
	return cmp.Or(meantBytes(strings.TrimSpace(text)), DefaultTmpSize)
}

// meantBytes reads 512MB, 2 Gi and 512m as powers of two; empty for none.
func meantBytes(text string) string {
	match := byteUnits.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return match[1] + strings.ToUpper(match[2]) + "i"
}

const (
	// mostProcessors is what no pod asks for: who writes as many means thousandths.
	mostProcessors = 100
	// leastMemory is what no pod can do with: who writes less means another unit.
	leastMemory = 1 << 20
)

// mistakenQuantity says how a quantity that Kubernetes takes was probably not meant; empty for one that was.
func mistakenQuantity(name string, quantity resource.Quantity) string {
	switch {
	case quantity.Sign() < 0:
		return "must not be negative"
	case name == "cpu" && quantity.Value() >= mostProcessors:
		return "that many whole processors; a thousandth of one is written 1m"
	case name == "memory" && !quantity.IsZero() && quantity.Value() < leastMemory:
		return "less than 1 MiB; m is a thousandth, and mebibytes are written 64Mi"
	default:
		return ""
	}
}
