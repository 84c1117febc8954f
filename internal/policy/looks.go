package policy

// LooksSecret tells whether a value under a name looks like a credential, by the same rules as the policies. It is
// for those who show values.
func LooksSecret(name, value string) bool { return credentialAs(name, value) != "" }
