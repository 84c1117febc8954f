package redact

import (
	"regexp"
	"slices"
	"strings"
)

// phrase is a way of giving a credential that has no separator between name and value.
type phrase struct {
	find *regexp.Regexp
	kind string
	// named tells that the first group of the pattern is the name and the last one the value. Else the last group that
	// matched is the credential, and keep decides on it; a nil keep takes all that is not harmless.
	named bool
	keep  func(name, credential, rest string) bool
	// literals are lower-case texts. The pattern is tried on the lines that hold one of them.
	literals []string
	// across tells that a match may go over line ends.
	across bool
}

const (
	headerKind   = "an Authorization header"
	argumentKind = "a credential in a command"
	passwordKind = "a password"
)

func unnamed(pattern, kind string, keep func(name, credential, rest string) bool, literals ...string) phrase {
	return phrase{find: regexp.MustCompile(pattern), kind: kind, keep: keep, literals: literals}
}

func named(pattern, kind string, keep func(name, credential, rest string) bool, literals ...string) phrase {
	return phrase{find: regexp.MustCompile(pattern), kind: kind, named: true, keep: keep, literals: literals}
}

func acrossLines(p phrase) phrase {
	p.across = true
	return p
}

// quoteMark begins or ends a quoted word in a sentence.
const quoteMark = "[\"'`]"

var phraseList = slices.Concat(commandPhrases, []phrase{
	// Headers.
	unnamed(`(?i)\bbearer(?:\s+|%20|\+)([A-Za-z0-9._~+/=-]{8,})`, headerKind, isBearer, "bearer"),
	unnamed(`(?i)\bbasic(?:\s+|%20)([A-Za-z0-9+/_-]{6,}={0,2})`, headerKind, isBasic, "basic"),

	// SQL, protocols and files of passwords.
	unnamed(`(?i)\bidentified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?["']([^"'\n]+)["']`, passwordKind, nil,
		"identified"),
	unnamed(`(?i)\b(?:password|passwd|passphrase)\s+["']([^"'\n]{3,})["']`, passwordKind, nil, "pass"),
	unnamed(`(?i)\bpassword\s+for\s+(?:'[^'\n]+'|"[^"\n]+"|[^\s'":]+)\s*(?:=|:|is)\s*["']?([^\s"']+)`, passwordKind, nil, "password for"),
	unnamed(`(?i)\bpsk\s+["']([^"'\n]+)["']`, passwordKind, nil, "psk "),
	unnamed(`(?i)\b(?:requirepass|masterauth|bindpw|rootpw)\s+["']?([^\s"']+)`, passwordKind, nil, "requirepass",
		"masterauth", "bindpw", "rootpw"),
	unnamed(`(?:^|[\s"'>])AUTH\s+(?:(?:PLAIN|LOGIN|XOAUTH2)\s+)?["']?(?:\w+\s+)?([^\s"']+)["']?\s*(?:$|["'\n])`,
		passwordKind, isInSentence, "auth "),
	acrossLines(unnamed(`\blogin\s+\S+\s+(?:account\s+\S+\s+)?password\s+(\S+)`, passwordKind, nil, "login ")),
	unnamed(`^[\w.*-]+:(?:\d{3,5}|\*):[^:\s]+:[^:\s]+:(\S+)$`, passwordKind, nil, ":*:", ":5432:", ":6432:", "5433:"),
	unnamed(`(?i)\bunseal key \d+(?: \([^)\n]*\))?:\s*(\S+)`, "an unseal key", nil, "unseal"),
	unnamed(`(?i)\bcommunity(?: string)?[ \t]*[:=]?[ \t]+["']?([^\s"']+)`, passwordKind, isInSentence, "community"),

	// Addresses that have no scheme.
	unnamed(`[^\s:/@"']+:(\S*)@(?:tcp6?|unix|cloudsql)\(`, addressKind, nil, "@tcp", "@unix", "@cloudsql"),
	unnamed(`(?:thin:|sqlplus\s+(?:-\S+\s+)*)[\w$]+/([^\s@]+)@`, addressKind, nil, "thin:", "sqlplus"),
	named(`(?:^|[\s"'=(,])([\w.+-]+):([^\s:@/'"]{4,})@[A-Za-z0-9][\w-]*(?:\.[\w-]+)*(?::\d{2,5}|/)`, addressKind, isLogin,
		"@"),

	// Blocks that give the name and the value in fields of their own, tables, lists and XML.
	acrossLines(named(`\bvariable\s+"([^"\n]+)"\s*\{[^{}]*?\bdefault\s*=\s*"([^"\n]+)"`, "a default", isUnderName,
		"variable")),
	acrossLines(named(`\bname="([^"\n]+)"[^<>\n]*>([^<]+)</`, "a value in XML", isMixedUnderName, "name=")),
	acrossLines(named(`<([A-Za-z][\w.:-]*)(?:\s[^<>]*)?>([^<]+)</`, "a value in XML", isUnderName, "</")),
	acrossLines(named(`<key>([^<]+)</key>\s*<string>([^<]+)</string>`, "a value in XML", isUnderName, "<key>")),
	named(`^[ \t]*([A-Za-z][\w.-]*)(?: {2,}|\t+)(\S+)[ \t]*$`, "a value in a table", isMixedUnderName, "  ", "\t"),
	named(`\|[ \t]*([A-Za-z][\w.-]*)[ \t]*\|[ \t]*([^|\s]+)[ \t]*(?:\||$)`, "a value in a table", isMixedUnderName, "|"),
	named(`["']([A-Za-z][\w.-]*)["'],\s*["']([^"'\n]+)["']`, "a value in a list", isMixedUnderName, `",`, `',`),

	// Programs.
	named(`\b([A-Za-z_]\w*)\s*:\s*&?[A-Za-z]\w*\s*=\s*"([^"\n]+)"`, "a value in a program", isUnderName, "= \"", "=\""),
	named(`\b([A-Za-z_][\w.]*)\s*<-\s*["']([^"'\n]+)["']`, "a value in a program", isUnderName, "<-"),
	named(`\{\s*([A-Za-z_]\w*)\s*,\s*(?:<<)?"([^"\n]+)"`, "a value in a program", isMixedUnderName, ", \"", ",\"", "<<\""),
	unnamed(`(?i)\.(?:set|with)?_?(?:password|passwd|passphrase|secretKey|apiKey|authToken|accessToken|token|auth)\(`+
		`["']([^"'\n]+)["']\)`, "a value in a program", isInSentence, "(\"", "('"),

	// Sentences.
	unnamed(`(?i)\b(?:login|credentials?|user(?:name)?\s*/\s*password)\s*[:=]\s*[^\s/]+\s*/\s*(\S+)`, passwordKind, isInSentence,
		" / ", "/pass"),
	unnamed(`(?i)\b(?:login|auth)\s+[\w.@-]+:([^\s:]+)`, passwordKind, isInSentence, "login ", "auth "),
	unnamed(`(?i)\bpassword\s+([\w$!@#%^&*][^\s"'=:]*)`, passwordKind, isInSentence, "password "),
	named(`\b(\w+_(?:secret|password|token|key))\s+["']([^"'\n]+)["']`, passwordKind, isMixedUnderName, "secret ", "password ",
		"token ", "key "),
	unnamed(`(?i)\b(?:one-time|verification|security|login|confirmation|2fa|mfa|access)[ -](?:code|password|pin)\s*`+
		`(?:is|:|=)\s*(\d{4,8})\b`, "a one-time code", nil, "code", "pin", "password"),
	unnamed(`(?i)\b(?:password|passwd|passphrase|passcode|pin|token|secret|api[ _-]?key|access[ _-]key)\s+`+
		`(?:(?:is|was|are|has been|will be)\s+)?(?:is|was|are|now|set to|changed to|reset to|equals)[ :]+`+
		quoteMark+"?([^\\s\"'`]+)", passwordKind, isInSentence, "pass", "token", "secret", "key", "pin"),
	unnamed(`(?i)\b(?:with|the|using|and|wrong|invalid|unknown|bad|new|old|your|temporary|initial|generated|incorrect|for|`+
		`session|access|refresh|api|auth)\s+(?:password|token|secret|passphrase|api[ -]key|key)\s+`+
		quoteMark+"?([^\\s\"'`:=]+)", passwordKind, isInSentence, "password ", "token ", "secret ", "passphrase ", "key "),
})

// The functions below decide on a match by its name, the credential and what follows it on the line.

func isBearer(_, credential, rest string) bool {
	if isMessage(credential, rest) || schemeNouns[lower(credential)] {
		return false
	}
	return mixed(credential) || len(credential) >= 20 || len(credential) >= shortestRandom && changes(credential) > 2
}

func isBasic(_, credential, _ string) bool { return isLoginInBase64(credential) }

// isSettingName reports whether a value is the dotted name of a setting, as in "config set --secret db.password".
func isSettingName(value string) bool {
	return strings.ContainsAny(value, ".:") && !strings.ContainsAny(value, "0123456789") && NamesCredential(value)
}

func isArgument(name, credential, rest string) bool {
	words := Words(name)
	return secretBy(words, credential) && !isMessage(credential, rest) && !isMetavariable(credential, words) &&
		!isSettingName(credential)
}

// isMixedArgument is isArgument where only the looks of the value tell a command from a sentence.
func isMixedArgument(name, credential, rest string) bool {
	return mixed(credential) && isArgument(name, credential, rest)
}

func isLoginPassword(_, credential, _ string) bool {
	return !isNumber(credential) || len(credential) > 5
}

func isLogin(name, credential, _ string) bool { return !contactWords[lower(name)] && mixed(credential) }

func isUnderName(name, credential, _ string) bool { return secretUnder(name, credential) }

func isMixedUnderName(name, credential, _ string) bool {
	return mixed(credential) && secretUnder(name, credential)
}

func isInSentence(_, credential, rest string) bool {
	return mixed(credential) && !isMessage(credential, rest)
}

// contactWords stand before an address of a person: mailto:name@example.com.
var contactWords = set("mailto email mail user username login from to cc bcc sip sips acct xmpp contact " +
	"by author owner " +
	"maintainer sender recipient subject sub principal account")
