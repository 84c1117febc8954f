package redact

import "strings"

// addressKind is a password, or a token in its place, in an address.
const addressKind = "an address with a password"

// addresses finds what stands between :// and @ in addresses. A password may hold signs that ought to be escaped: it
// ends at the last @.
func addresses(text string) []span {
	matches := addressesBehind(text, "://")
	if strings.Contains(text, `:\/\/`) {
		matches = append(matches, addressesBehind(text, `:\/\/`)...) // as PHP writes JSON
	}
	return matches
}

func addressesBehind(text, separator string) []span {
	var matches []span
	for from := 0; ; {
		at := strings.Index(text[from:], separator)
		if at < 0 {
			return matches
		}
		start := from + at + len(separator)
		from = start
		if at := start - len(separator); at == 0 || !isWord(text[at-1]) {
			continue
		}
		end := addressEnd(text, start)
		if s, ok := userInfo(text, start, end); ok {
			matches = append(matches, s)
			from = s.end
		}
	}
}

// addressEnd is the end of an address that goes on at a position: a blank, a quote, or the next address.
func addressEnd(text string, start int) int {
	end := start
	for end < len(text) && text[end] > ' ' && strings.IndexByte("\"`<>", text[end]) < 0 && !atEscapedEnd(text, end) {
		if text[end] == '\'' && closesBare(text, end+1) {
			break
		}
		if text[end] == ':' && strings.HasPrefix(text[end:], "://") {
			for end > start && isNameByte(text[end-1]) {
				end--
			}
			break
		}
		end++
	}
	return end
}

// userInfo finds the user and password at the beginning of an address.
func userInfo(text string, start, end int) (span, bool) {
	address := text[start:end]
	authority := address
	if slash := strings.IndexAny(address, "/?#"); slash >= 0 {
		authority = address[:slash]
	}
	at := strings.LastIndexByte(authority, '@')
	colon := strings.IndexByte(authority, ':')
	switch {
	case at >= 0 && colon >= 0 && colon < at:
		// A password with an @ and a slash in it reaches further.
		if path, _, _ := strings.Cut(address, "?"); strings.LastIndexByte(path, '@') > at &&
			!strings.Contains(authority[at:], ".") &&
			!strings.Contains(authority[at:], ":") {
			at = strings.LastIndexByte(path, '@')
		}
	case at >= 0:
		// A user alone is no credential, unless a token stands in its place.
		if user := authority[:at]; !random(user) || Harmless(user) {
			return span{}, false
		}
		return span{start, start + at, addressKind}, true
	case colon < 0 || isPort(authority[colon+1:]):
		return span{}, false
	default:
		at = strings.LastIndexByte(address, '@')
	}
	if at <= colon {
		return span{}, false
	}
	if Harmless(address[colon+1 : at]) {
		return span{}, false
	}
	return span{start, start + at, addressKind}, true
}

func isPort(text string) bool {
	return isNumber(text) || Harmless(text) || strings.HasPrefix(text, "$") || strings.HasPrefix(text, "{")
}
