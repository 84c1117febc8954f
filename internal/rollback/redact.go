package rollback

// Redact takes the secrets, and what looks like a credential, out of a text that somebody will read.
func Redact(text string, secrets []string) string { return redact(text, secrets) }
