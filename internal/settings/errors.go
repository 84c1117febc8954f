package settings

import (
	"fmt"
	"strings"
)

// Error is one problem in a stack's configuration.
type Error struct {
	// Key is the configuration key, with the path of a field where the value is an object.
	Key string
	// Value is what was given; it is empty for what is missing and for secrets.
	Value string
	// Problem says what is wrong with the value and what is allowed.
	Problem string
	// Fix is the command that resolves it.
	Fix string
}

// Error gives the problem in one line.
func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "config %s", e.Key)
	if e.Value != "" {
		fmt.Fprintf(&text, " is %q", shorten(e.Value))
	}
	fmt.Fprintf(&text, ": %s", e.Problem)
	if e.Fix != "" {
		fmt.Fprintf(&text, "; to resolve: %s", e.Fix)
	}
	return text.String()
}

const longestValue = 120

func shorten(value string) string {
	if runes := []rune(value); len(runes) > longestValue {
		return string(runes[:longestValue]) + "…"
	}
	return value
}

// problems collects errors, so that a user sees all of them at once.
type problems []error

func (p *problems) add(key, value, fix, format string, args ...any) {
	*p = append(*p, &Error{Key: key, Value: value, Problem: fmt.Sprintf(format, args...), Fix: fix})
}

func set(key, value string) string { return fmt.Sprintf("pulumi config set %s %s", key, value) }

func setPath(key, value string) string {
	return fmt.Sprintf("pulumi config set --path %s %s", key, value)
}

func setSecret(key string) string { return "pulumi config set --secret --path " + key }
