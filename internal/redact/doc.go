// Package redact removes credentials from texts that people and other programs read: evidence, diagnoses, smoke
// reports, comments on pull requests, Events and policy findings. There is one detector: a [Redactor] replaces the
// credentials that it finds with [Mark], and [Kind] and [KindOf] name them for a policy.
//
// A credential is found in four ways:
//   - as a known value, such as a mounted Secret, in any encoding that a log or an API is likely to show;
//   - by its shape: the prefix of a provider's token, a JSON Web Token, a private key, a password hash;
//   - by its name, in assignments, JSON (also inside JSON strings), YAML, XML, query strings, headers, connection
//     strings, command lines and SQL;
//   - by its place in an address: scheme://user:password@host.
//
// References to a credential, such as $(DATABASE_PASSWORD), /run/secrets/jwt or TOKEN_TTL=3600, are not one.
//
// The package imports nothing of this project.
package redact
