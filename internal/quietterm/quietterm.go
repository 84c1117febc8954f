// Package quietterm keeps a library of the Pulumi SDK from asking the terminal for its colours while the process
// starts. A terminal that does not answer, such as the one of a CI job, would cost five seconds before a command
// begins, and in them a bad canary has requests.
//
// The library asks in its initialisation, and not where TERM says that the terminal is a dumb one. Go initialises
// packages that are ready in the order of their import paths, and the library needs packages of golang.org, which
// come after this one: so it is enough that this package imports nothing but os. It must stay so.
package quietterm

import "os"

var term, given = os.LookupEnv("TERM")

func init() {
	if given {
		_ = os.Setenv("TERM", "dumb")
	}
}

// Restore brings TERM back. Main calls it before all else.
func Restore() {
	if given {
		_ = os.Setenv("TERM", term)
	}
}
