// Package prcomment makes the comment on a pull request: from what `pulumi preview` tells of each stack to one piece
// of Markdown with the changes, what the gate would say and what the policies found. It is pure: text in, text out.
//
// Whatever it is given may come from outside: names of branches and releases, messages of a gate that quotes a pod's
// answer. All of it is tamed and escaped, so that nothing in it formats, links, mentions anybody or reaches a
// terminal. Secrets are not shown: neither what Pulumi marks as one, nor the data of a Secret, nor what looks like a
// credential. The size is bounded.
//
// The package may import Pulumi's event types and internal/redact. It opens no connection.
package prcomment
