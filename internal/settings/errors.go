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
type problems struct {
	commands
	list []error
}

// add collects a problem. Without a fix, the usual one is given: every error has a command to paste.
func (p *problems) add(key, value, fix, format string, args ...any) {
	if fix == "" {
		fix = p.usual(key)
	}
	p.list = append(p.list, &Error{Key: key, Value: value, Problem: fmt.Sprintf(format, args...), Fix: fix})
}

// commands writes commands that can be pasted: each names its stack, so that none changes another one.
type commands struct{ stack string }

func (c commands) config(words string) string { return "pulumi config " + words + " -s " + c.stack }

// set changes a key.
func (c commands) set(key, value string) string { return c.config("set " + key + " " + value) }

// setPath changes a field of an object.
func (c commands) setPath(path, value string) string {
	return c.config("set --path " + word(path) + " " + value)
}

// word is a path as a shell takes it for one word.
func word(path string) string {
	if strings.ContainsAny(path, `"$[ `) && !strings.HasPrefix(path, "'") {
		return "'" + path + "'"
	}
	return path
}

// change changes a key, or a field of an object.
func (c commands) change(path, value string) string {
	if strings.ContainsAny(path, ".[") {
		return c.setPath(path, value)
	}
	return c.set(path, value)
}

// setSecret asks for a secret without showing it.
func (c commands) setSecret(path string) string { return c.config("set --secret --path " + path) }

// remove takes a key, or a field of an object, out of the stack's file.
func (c commands) remove(path string) string {
	if strings.ContainsAny(path, ".[") {
		return c.config("rm --path " + word(path))
	}
	return c.config("rm " + path)
}

// Unreached adds the commands that name another cluster to the error of a kubeconfig.
func (s *Settings) Unreached(err error) error {
	say := commands{s.stack}
	return fmt.Errorf("%w; to resolve: %s, or %s", err, say.set("kubeconfig", "PATH"), say.set("kubeContext", "CONTEXT"))
}
