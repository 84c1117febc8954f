package redact

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const keyBlockKind = "a private key"

var (
	keyBegin = regexp.MustCompile(
		`-{4,5} ?BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|SECRET KEY)(?: BLOCK)? ?-{4,5}|PuTTY-User-Key-File-\d:|Private-Lines:`)
	keyEnd = regexp.MustCompile(
		`-{4,5} ?END [A-Z0-9 ]*(?:PRIVATE KEY|SECRET KEY)(?: BLOCK)? ?-{4,5}|Private-MAC: ?[0-9a-f]*`)
	// headless matches the rest of a key whose beginning was cut off.
	headless = regexp.MustCompile(`(?:[A-Za-z0-9+/=]{16,}(?:\s|\\+[nr])*)+-{4,5} ?END [A-Z0-9 ]*PRIVATE KEY-{4,5}`)
)

// keyBlocks finds private keys in armour. One that is cut off at its end goes to the end of the text.
func keyBlocks(text string) []span {
	var matches []span
	from := 0
	if strings.Contains(text, "BEGIN") || strings.Contains(text, "PuTTY") || strings.Contains(text, "Private-Lines") {
		for {
			begin := keyBegin.FindStringIndex(text[from:])
			if begin == nil {
				break
			}
			start := from + begin[0]
			body := from + begin[1]
			end := keyBodyEnd(text, body)
			if closed := keyEnd.FindStringIndex(text[body:]); closed != nil {
				end = body + closed[1]
			}
			matches = append(matches, span{start, end, keyBlockKind})
			from = end
		}
	}
	if strings.Contains(text[from:], "PRIVATE KEY-----") {
		if at := headless.FindStringIndex(text[from:]); at != nil {
			matches = append(matches, span{from + at[0], from + at[1], keyBlockKind})
		}
	}
	return matches
}

// keyBodyEnd is the end of the lines of a key: base64, headers, and line ends, which may be escaped.
func keyBodyEnd(text string, start int) int {
	length := strings.IndexFunc(text[start:], func(r rune) bool {
		return r >= utf8.RuneSelf || !isBase64(byte(r&0x7f)) && !unicode.IsSpace(r) && r != '\\' && r != ':' && r != ','
	})
	if length < 0 {
		return len(text)
	}
	return start + length
}

// shortestEncoded is the length from which a word is tried as base64, in bytes.
const shortestEncoded = 16

// encoded finds credentials inside base64, such as the data of a Secret or of a configuration file.
func (r Redactor) encoded(text string, depth int) []span {
	matches := r.percentEncoded(text, depth)
	for i := 0; i < len(text); {
		if !isBase64Word(text[i]) {
			i++
			continue
		}
		start := i
		for i < len(text) && (isBase64Word(text[i]) || text[i] == '=') {
			i++
		}
		if i-start < shortestEncoded {
			continue
		}
		decoded, ok := decodeBase64(text[start:i])
		if !ok {
			if rest := strings.TrimRight(text[start:i], "="); len(rest)%4 != 0 {
				decoded, ok = decodeBase64(rest[:len(rest)/4*4])
			}
		}
		if ok && isKeyBegun(decoded) {
			matches = append(matches, span{start, i, keyBlockKind})
		} else if ok && printable(decoded) {
			if inner := r.spans(string(decoded), depth+1); len(inner) > 0 {
				matches = append(matches, span{start, i, inner[0].kind})
			}
		}
	}
	return matches
}

// isKeyBegun reports whether bytes begin like a private key in armour; a log that cuts a line may spoil the rest.
func isKeyBegun(content []byte) bool {
	at := keyBegin.FindIndex(content)
	return len(at) > 0 && at[0] == 0
}

func isBase64Word(c byte) bool { return isURLWord(c) || c == '+' || c == '/' }

// printable reports whether bytes are a text.
func printable(content []byte) bool {
	if !utf8.Valid(content) {
		return false
	}
	for _, r := range string(content) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r' {
			return false
		}
	}
	return len(content) > 0
}

var encodedAddress = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*%3A%2F%2F[^\s"'<>&]+`)

// percentEncoded finds credentials inside addresses that are a part of another one.
func (r Redactor) percentEncoded(text string, depth int) []span {
	if !strings.Contains(text, "%2F%2F") && !strings.Contains(text, "%2f%2f") {
		return nil
	}
	var matches []span
	for _, at := range encodedAddress.FindAllStringIndex(text, -1) {
		decoded, err := url.QueryUnescape(text[at[0]:at[1]])
		if err != nil {
			continue
		}
		if inner := r.spans(decoded, depth+1); len(inner) > 0 {
			matches = append(matches, span{at[0], at[1], inner[0].kind})
		}
	}
	return matches
}
