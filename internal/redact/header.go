package redact

import "strings"

// isHeader reports whether a name is that of an HTTP header whose value goes to the end of the line.
func isHeader(words []string) bool {
	last := words[len(words)-1]
	return last == "AUTHORIZATION" || last == "COOKIE" && (len(words) == 1 || words[len(words)-2] == "SET" ||
		len(words) > 1)
}

// isPhrase reports whether a name is that of a list of words that open a wallet, which goes to the end of the line.
func isPhrase(words []string) bool {
	last := words[len(words)-1]
	return last == "MNEMONIC" || last == "PHRASE" && len(words) > 1 &&
		(words[len(words)-2] == "SEED" || words[len(words)-2] == "RECOVERY")
}

// schemes are those of an Authorization header that one word follows; the other ones are followed by fields.
var schemes = set("BEARER BASIC TOKEN APIKEY API-KEY KEY NEGOTIATE NTLM GENIEKEY SSWS PRIVATE-TOKEN SPLUNK JWT")

var fieldSchemes = set("DIGEST HAWK OAUTH SIGNATURE AWS4-HMAC-SHA256 AWS4-ECDSA-P256-SHA256 SHAREDKEY SHAREDKEYLITE " +
	"SHAREDACCESSSIGNATURE EG1-HMAC-SHA256 HMAC HMAC-SHA256 AWS MAC")

// headerSpans finds what must not be shown of a header.
func headerSpans(text string, a assignment) []span {
	content := a.value.in(text)
	if isPhrase(a.words) {
		if strings.Count(content, " ") < 5 {
			return nil
		}
		return []span{{a.value.start, a.value.end, "a list of words"}}
	}
	if a.words[len(a.words)-1] == "COOKIE" {
		switch {
		case strings.Contains(content, "=") && len(content) >= 4:
			return []span{{a.value.start, a.value.end, "a cookie"}}
		case random(content) && !Harmless(content):
			return []span{{a.value.start, a.value.end, "a cookie"}}
		}
		return nil
	}
	const kind = "an Authorization header"
	first, rest, several := strings.Cut(content, " ")
	word := strings.ToUpper(strings.Trim(first, ",;"))
	start := a.value.start + len(first) + 1
	start += len(rest) - len(strings.TrimLeft(rest, " "))
	switch {
	case fieldSchemes[word] && several:
		return []span{{start, a.value.end, kind}}
	case schemes[word] && several:
		end := start
		for end < a.value.end && strings.IndexByte(" \t,;\"'", text[end]) < 0 {
			end++
		}
		if token := text[start:end]; Harmless(token) || isMessage(token, text[end:a.value.end]) ||
			schemeNouns[lower(token)] {
			return nil
		}
		return []span{{start, end, kind}}
	case schemes[word], fieldSchemes[word]:
		return nil
	}
	token := strings.TrimRight(first, ",;.")
	if Harmless(token) || isMessage(token, rest) || !mixed(token) && len(token) < shortestRandom {
		return nil
	}
	return []span{{a.value.start, a.value.start + len(token), kind}}
}

// schemeNouns follow the name of a scheme in prose.
var schemeNouns = set("token tokens auth authentication authorization header scheme realm credentials credential")

// isLoginInBase64 reports whether a text is what Basic authentication sends: user:password in base64.
func isLoginInBase64(text string) bool {
	decoded, ok := decodeBase64(text)
	if ok && strings.Contains(string(decoded), ":") && printable(decoded) {
		return true
	}
	return random(strings.TrimRight(text, "="))
}
