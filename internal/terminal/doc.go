// Package terminal is how a command talks to its operator: tables and JSON, colours, confirmation and exit codes.
package terminal
