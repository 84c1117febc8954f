package redact

import "strings"

// shortestRepeated is the length from which a value that was found once is looked for in the rest of its text.
const shortestRepeated = 6

// repeated finds the values of matches again where no name tells what they are: new Pool('app', 'pw1', {password:
// 'pw1'}).
func repeated(text string, matches []span) []span {
	var again []span
	seen := map[string]bool{}
	for _, s := range matches {
		content := text[s.start:max(s.start, s.end)]
		if len(content) < shortestRepeated || seen[content] || !mixed(content) || strings.ContainsAny(content, " \n") {
			continue
		}
		seen[content] = true
		for from := 0; ; {
			at := strings.Index(text[from:], content)
			if at < 0 {
				break
			}
			start := from + at
			from = start + len(content)
			if start != s.start && !touched(text, start, from) {
				again = append(again, span{start, from, s.kind})
			}
		}
	}
	return again
}
