// Package quietterm stops a library of the Pulumi SDK from querying the terminal for its colours while the process
// starts. On a terminal that does not answer, such as that of a CI job, the query costs five seconds before the
// command begins, and a bad canary keeps its traffic that long.
//
// The library queries during package initialisation, but not if TERM says "dumb". Go initialises packages that are
// ready in the order of their import paths, and the library depends on packages of golang.org, which sort after this
// one. It is therefore enough that this package imports nothing but os. Keep it that way.
package quietterm

import "os"

var term, given = os.LookupEnv("TERM")

func init() {
	if given {
		_ = os.Setenv("TERM", "dumb")
	}
}

// Restore restores TERM. Call it first in main.
func Restore() {
	if given {
		_ = os.Setenv("TERM", term)
	}
}
