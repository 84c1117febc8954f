package terminal

import (
	"errors"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Exit codes of a command.
const (
	// ExitDone: the command did its work, or everything is in order.
	ExitDone = iota
	// ExitFailed: the command failed, or something is not in order.
	ExitFailed
	// ExitUsage: wrong usage; nothing was changed.
	ExitUsage
	// ExitUnknown: the evidence is not sufficient to decide.
	ExitUnknown
)

// UsageError marks wrong usage of a command.
type UsageError struct{ Err error }

// Usage wraps an error as a UsageError.
func Usage(err error) error { return &UsageError{err} }

// Error implements error.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *UsageError) Unwrap() error { return e.Err }

// UnknownError marks a question that the evidence cannot answer.
type UnknownError struct{ Err error }

// Unknown wraps an error as an UnknownError.
func Unknown(err error) error { return &UnknownError{err} }

// Error implements error.
func (e *UnknownError) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *UnknownError) Unwrap() error { return e.Err }

// ErrNotInOrder ends a command that has already printed what is not in order.
var ErrNotInOrder = errors.New("not in order")

// ErrTooLittle ends a command that has already printed which evidence is missing.
var ErrTooLittle = &UnknownError{errors.New("not enough evidence")}

// ExitCode returns the exit code of a command that ended with err.
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

// OfVerdict maps a verdict that a command has printed to the error that ends it: nil for pass, ErrNotInOrder for fail,
// ErrTooLittle for anything else.
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

// Silent reports whether the command has already printed everything about err.
func Silent(err error) bool { return errors.Is(err, ErrNotInOrder) || errors.Is(err, ErrTooLittle) }
