// Package service is a small stand-in for the finance service that this project rolls out: its environment, its
// endpoints, its protections and its metrics, in front of a real PostgreSQL, together with faults that tests and
// demonstrations switch on. It is an example and not part of the product.
//
// [ConfigFromEnv] reads the environment, [NewServer] builds the handler from it and from what it depends on. The
// package keeps no global state, writes no file and never logs a secret or a token. It may not import anything else
// of this module.
package service
