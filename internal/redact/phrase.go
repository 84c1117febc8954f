package redact

import "strings"

// phrases finds credentials that no separator ties to a name.
func phrases(text string) []span {
	// The escapes of line ends and tabs are no letters of the words beside them. The replacement is as long.
	text = strings.NewReplacer(`\n`, " \f", `\r`, " \f", `\t`, " \f").Replace(text)
	lowered := lower(text)
	var matches []span
	for _, p := range phraseList {
		switch {
		case !p.across:
			eachLine(lowered, p.literals, func(start, end int) { matches = append(matches, p.search(text, start, end)...) })
		case containsAny(lowered, p.literals):
			matches = append(matches, p.search(text, 0, len(text))...)
		}
	}
	return matches
}

// eachLine visits the lines that hold one of some literals, each line once.
func eachLine(text string, literals []string, visit func(start, end int)) {
	next := make([]int, len(literals)) // where each literal stands next; -1 for no more
	for from := 0; from < len(text); {
		first := -1
		for i, literal := range literals {
			if next[i] >= 0 && (next[i] < from || from == 0) {
				next[i] = strings.Index(text[from:], literal)
				if next[i] >= 0 {
					next[i] += from
				}
			}
			if next[i] >= 0 && (first < 0 || next[i] < first) {
				first = next[i]
			}
		}
		if first < 0 {
			return
		}
		start, end := strings.LastIndexByte(text[:first], '\n')+1, len(text)
		if length := strings.IndexByte(text[first:], '\n'); length >= 0 {
			end = first + length
		}
		visit(start, end)
		from = end + 1
	}
}

func containsAny(text string, literals []string) bool {
	for _, literal := range literals {
		if strings.Contains(text, literal) {
			return true
		}
	}
	return false
}

// lower is a text with the capitals of ASCII in lower case; its length stays.
func lower(text string) string {
	lowered := []byte(text)
	for i, c := range lowered {
		if c >= 'A' && c <= 'Z' {
			lowered[i] = c + 0x20
		}
	}
	return string(lowered)
}

// search finds the phrase in a part of a text.
func (p phrase) search(text string, start, end int) []span {
	var matches []span
	for start < end {
		groups := p.find.FindStringSubmatchIndex(text[start:end])
		if groups == nil {
			break
		}
		for i := range groups {
			if groups[i] >= 0 {
				groups[i] += start
			}
		}
		s, next := p.judge(text[:end], groups)
		if s.end > 0 {
			matches = append(matches, s)
		}
		start = max(next, start+1)
	}
	return matches
}

// judge decides on a match. It gives the credential, empty when there is none, and where the search goes on.
func (p phrase) judge(text string, groups []int) (s span, next int) {
	last := len(groups) - 2
	for last > 2 && groups[last] < 0 {
		last -= 2
	}
	start, end := groups[last], groups[last+1]
	next = end
	if end-start >= 2 && (text[start] == '"' || text[start] == '\'') && text[end-1] == text[start] {
		start, end = start+1, end-1
	}
	credential, name, kind := strings.TrimRight(text[start:end], ".,;:"), "", p.kind
	if p.named {
		name = text[groups[2]:groups[3]]
		// The apparent value may be the name of the next match: "login", "password", "value".
		next = start - 1
		if kind != addressKind {
			kind = "a value for " + name
		}
	}
	if Harmless(credential) || p.keep != nil && !p.keep(name, credential, text[end:]) {
		return span{}, next
	}
	return span{start, start + len(credential), kind}, end
}
