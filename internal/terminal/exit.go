package terminal

import (
	"errors"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Exit codes of a command.
const (
	// ExitDone: done, or found in order.
	ExitDone = iota
	// ExitFailed: failed, or found not in order.
	ExitFailed
	// ExitUsage: called wrongly; nothing was changed.
	ExitUsage
	// ExitUnknown: there is not enough evidence to tell.
	ExitUnknown
)

// UsageError says that a command was called wrongly.
type UsageError struct{ Err error }

// Usage marks an error as one of usage.
func Usage(err error) error { return &UsageError{err} }

// Error gives what is wrong.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the error itself.
func (e *UsageError) Unwrap() error { return e.Err }

// UnknownError says that there is not enough evidence to tell.
type UnknownError struct{ Err error }

// Unknown marks an error as a lack of evidence.
func Unknown(err error) error { return &UnknownError{err} }

// Error gives what is missing.
func (e *UnknownError) Error() string { return e.Err.Error() }

// Unwrap gives the error itself.
func (e *UnknownError) Unwrap() error { return e.Err }

// ErrNotInOrder ends a command that has printed what it found not in order: nothing more needs to be said.
var ErrNotInOrder = errors.New("not in order")

// ErrTooLittle ends a command that has printed that the evidence does not tell.
var ErrTooLittle = &UnknownError{errors.New("not enough evidence")}

// ExitCode is that of a command which ended with the error.
func ExitCode(err error) int {
	if err == nil {
		return ExitDone
	}
	if _, wrong := errors.AsType[*UsageError](err); wrong {
		return ExitUsage
	}
	if _, unknown := errors.AsType[*UnknownError](err); unknown {
		return ExitUnknown
	}
	return ExitFailed
}

// OfVerdict is how a command ends whose outcome is a verdict that it has printed: in order for pass, not in order for
// fail, else without enough evidence.
func OfVerdict(verdict gate.Verdict) error {
	switch verdict {
	case gate.Pass:
		return nil
	case gate.Fail:
		return ErrNotInOrder
	default:
		return ErrTooLittle
	}
}

// Silent tells that the command has said already what there is to say.
func Silent(err error) bool { return errors.Is(err, ErrNotInOrder) || errors.Is(err, ErrTooLittle) }
