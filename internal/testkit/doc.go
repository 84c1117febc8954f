// Package testkit holds the helpers that the tests of several packages share. Nothing but tests imports it.
package testkit
