// Package redact removes credentials from texts that people and other programs read: evidence, diagnoses, smoke
// reports, comments on pull requests, Events and policy findings.
//
// It imports nothing of this project.
package redact
