package redact

import (
	"regexp"
	"strings"
)

// singular gives the word of one element for names of lists.
var singular = map[string]string{
	"PASSWORDS": "PASSWORD", "TOKENS": "TOKEN", "SECRETS": "SECRET", "APIKEYS": "APIKEY", "PASSPHRASES": "PASSPHRASE",
	"KEYS": "KEY",
}

var (
	listBegin = regexp.MustCompile(`(?i)([\w.-]*(?:passwords|tokens|secrets|api[_-]?keys|phrases))\\*["']?[ \t]*[:=]>?[ \t]*(\[|\n)`)
	// inlineElement and lineElement match one element of a list: in brackets, or on a line of its own in YAML.
	inlineElement = regexp.MustCompile(`^[\s,]*(?:\\*"([^"\n\\]*)\\*"|'([^'\n]*)'|([^\s,\]"'{}\[]+))`)
	lineElement   = regexp.MustCompile(`^[ \t]*-[ \t]+(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"':{}\[]+))[ \t]*(?:\n|$)`)
)

// lists finds credentials in lists under a name in the plural. Only a password counts by its name; names of Secrets
// stand under "secrets" too, so that the other ones must look random.
func lists(text string) []span {
	if !containsAny(lower(text), []string{"passwords", "tokens", "secrets", "keys", "phrases"}) {
		return nil
	}
	var matches []span
	for _, at := range listBegin.FindAllStringSubmatchIndex(text, -1) {
		words := Words(text[at[2]:at[3]])
		if len(words) == 0 || singular[words[len(words)-1]] == "" {
			continue
		}
		words[len(words)-1] = singular[words[len(words)-1]]
		element := lineElement
		if text[at[4]] == '[' {
			element = inlineElement
		}
		matches = append(matches, elements(text, at[1], element, words)...)
	}
	return matches
}

// elements judges the elements of a list that begins at a position.
func elements(text string, start int, element *regexp.Regexp, words []string) []span {
	var matches []span
	for {
		at := element.FindStringSubmatchIndex(text[start:])
		if at == nil {
			return matches
		}
		for group := 2; group < len(at); group += 2 {
			if at[group] < 0 {
				continue
			}
			content := text[start+at[group] : start+at[group+1]]
			if secretBy(words, content) && (strings.HasPrefix(words[len(words)-1], "PASS") || random(content)) {
				matches = append(matches, span{start + at[group], start + at[group+1], "a value in a list"})
			}
		}
		start += at[1]
	}
}
