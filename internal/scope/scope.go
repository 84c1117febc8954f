// Package scope sets one rollout apart from the others of its stack in texts. Commands are written everywhere for a
// stack with one rollout; where there are several, this package puts in the name that each command needs. It is pure.
package scope

import (
	"regexp"
	"strings"
)

// ConfigurationOutput is the output in which a program says where a rollout's configuration lies, if that is not under
// its name.
const ConfigurationOutput = "configuration"

// Scope is one rollout of a stack. The zero Scope is the only one, and changes no text.
type Scope struct {
	// Config is the namespace of its configuration; empty for the project's own.
	Config string
	// Rollout is its name for the flag --rollout; empty where the command finds the rollout by itself.
	Rollout string
	// Output is its name in the stack's outputs; empty for none.
	Output string
}

var (
	// configCommand is a command that changes the configuration, with its key.
	configCommand = regexp.MustCompile("(pulumi config (?:set|rm|get)(?: --(?:secret|path|plaintext))* '?)([^\\s'`]+)")
	// outputCommand is a command that reads an output, with its name.
	outputCommand = regexp.MustCompile(`(pulumi stack output )([A-Za-z][\w.]*)`)
	// rolloutCommand is a command on a stack, with the name of a rollout that it has already.
	rolloutCommand = regexp.MustCompile("\\brollout [a-z][^\\n`;|&]*? (?:-s|--stack)[ =][\\w./-]*\\w(?: --rollout \\S+)?")
)

// Commands is a text whose commands name the rollout. A text that names it already stays as it is.
func (s Scope) Commands(text string) string {
	if s.Config != "" {
		text = prefixed(configCommand, text, s.Config+":")
	}
	if s.Output != "" {
		text = prefixed(outputCommand, text, s.Output+".")
	}
	if s.Rollout == "" {
		return text
	}
	return rolloutCommand.ReplaceAllStringFunc(text, s.rollout)
}

// prefixed puts a prefix in front of the second group of each match, unless it is there.
func prefixed(of *regexp.Regexp, text, prefix string) string {
	return of.ReplaceAllStringFunc(text, func(command string) string {
		parts := of.FindStringSubmatch(command)
		if strings.HasPrefix(parts[2], prefix) {
			return command
		}
		return parts[1] + prefix + parts[2]
	})
}

// rollout names the rollout in a command. The match may begin with a sentence about the rollout, and end with a command
// of another program.
func (s Scope) rollout(command string) string {
	last := command[strings.LastIndex(command, "rollout "):]
	if strings.Contains(command, "--rollout ") || strings.Contains(last, "pulumi ") {
		return command
	}
	return command + " --rollout " + s.Rollout
}

// Error is an error whose commands name the rollout.
func (s Scope) Error(err error) error {
	if err == nil || s == (Scope{}) {
		return err
	}
	return &scoped{error: err, scope: s}
}

type scoped struct {
	error
	scope Scope
}

// Error gives the text with its commands.
func (e *scoped) Error() string { return e.scope.Commands(e.error.Error()) }

// Unwrap gives the error itself.
func (e *scoped) Unwrap() error { return e.error }
