package redact

import (
	"regexp"
	"slices"
	"strings"
)

const (
	// longestName bounds what is read of a name, longestValue what is searched for the end of a quoted value, in bytes.
	longestName  = 128
	longestValue = 16 << 10
	// pairDistance is how far apart the name and the value of {"name": …, "value": …} may stand, in bytes.
	pairDistance = 160
)

// assignment is a name with its value: name=value, "name": "value", <name>value</name> and the like.
type assignment struct {
	// words are those of the name, name its last part as it is written, and start its position.
	words []string
	name  string
	start int
	// quoted tells that the name is in quotes, query that it stands in the query of an address.
	quoted, query bool
	value         value
}

// value is a part of a text that was assigned.
type value struct {
	start, end int
	// quoted tells that the value is in quotes.
	quoted bool
	// next is where the search goes on.
	next int
}

func (v value) in(text string) string { return text[v.start:v.end] }

// assignments finds the values of names that are a credential's.
func assignments(text string) []span {
	var matches []span
	var pair pairs
	for i := 0; i < len(text); i++ {
		name, after, ok := separatorAt(text, i)
		if !ok {
			continue
		}
		a, ok := readName(text, name)
		if !ok {
			continue
		}
		special := isHeader(a.words) && (text[i] == ':' || a.words[len(a.words)-1] == "AUTHORIZATION")
		special = special || isPhrase(a.words)
		if !special && !a.query && strengthOf(a.words) == none && !pairWords[a.words[len(a.words)-1]] {
			continue
		}
		a.value, ok = readValue(text, after, special)
		if !ok || a.closesString(text) {
			continue
		}
		if special {
			matches = append(matches, headerSpans(text, a)...)
		} else if s, ok := a.judge(text); ok {
			matches = append(matches, s)
			i = max(i, a.value.next-1)
			continue
		}
		if pairWords[a.words[len(a.words)-1]] {
			matches = append(matches, pair.add(text, a)...)
		}
	}
	return matches
}

// separatorAt recognizes what stands between a name and its value at a position. It gives the end of the name and the
// beginning of the value.
func separatorAt(text string, i int) (name, value int, ok bool) {
	switch text[i] {
	case '=':
		name, value = i, i+1
		for name > 0 && strings.IndexByte(":=+?", text[name-1]) >= 0 {
			name--
		}
		if name > 0 && strings.IndexByte("!<>~", text[name-1]) >= 0 || value < len(text) && text[value] == '=' {
			return 0, 0, false
		}
		if value < len(text) && text[value] == '>' {
			value++
		}
	case ':':
		name, value = i, i+1
		switch {
		case value >= len(text), text[value] == '?' && isDefault(text, i): // ${NAME:?message}
			return 0, 0, false
		case text[value] == '=', text[value] == ':' && !strings.HasPrefix(text[value:], ": "),
			strings.HasPrefix(text[value:], "//"):
			return 0, 0, false
		case text[value] == ':', text[value] == '-' && isDefault(text, i):
			value++
		}
	case '>':
		if i == 0 || text[i-1] != '-' {
			return 0, 0, false
		}
		name, value = i-1, i+1
	case '%':
		if !strings.HasPrefix(text[i:], "%3D") && !strings.HasPrefix(text[i:], "%3d") &&
			!strings.HasPrefix(text[i:], "%3A") &&
			!strings.HasPrefix(text[i:], "%3a") {
			return 0, 0, false
		}
		name, value = i, i+3
	case '\\':
		if !strings.HasPrefix(text[i:], `\u003d`) {
			return 0, 0, false
		}
		name, value = i, i+6
	default:
		return 0, 0, false
	}
	return name, value, true
}

// isDefault reports whether a colon begins the default of a shell variable: ${NAME:-default}.
func isDefault(text string, colon int) bool {
	start := colon
	for start > 0 && (isWord(text[start-1]) || text[start-1] == '_') {
		start--
	}
	return start >= 2 && text[start-2:start] == "${"
}

func isNameByte(c byte) bool { return isURLWord(c) || c == '.' || c >= 0x80 }

// quotes are the ways in which a quote is written, the longer ones first.
var quotes = []string{"&quot;", "&#34;", "&#39;", "&apos;", "%22", "%27", `"`, "'", "`", "“", "”", "‘", "’"}

// readName reads the name that ends at a position, with the words before it that belong to it.
func readName(text string, end int) (assignment, bool) {
	var a assignment
	first := max(0, end-longestName)
	for end > first && (text[end-1] == ' ' || text[end-1] == '\t') {
		end--
	}
	end = beforeRemark(text, first, end)
	for end > first && strings.IndexByte(")]}", text[end-1]) >= 0 && !strings.HasSuffix(text[first:end], "}}") {
		end-- // a name in brackets, and no template
	}
	for _, quote := range quotes {
		if strings.HasSuffix(text[first:end], quote) {
			end -= len(quote)
			a.quoted = true
			break
		}
	}
	for a.quoted && end > first && text[end-1] == '\\' {
		end--
	}
	start := end
	for start > first && isNameByte(text[start-1]) {
		start--
	}
	// The digits of an escape in front, as in %22password%22 or \npassword, are no part of the name.
	for i := start; i < end && i < start+5; i++ {
		if escaped(text, i) && i > start {
			start = i
		}
	}
	if start > 0 && text[start-1] == '\\' && start < end && strings.IndexByte("nrt", text[start]) >= 0 {
		start++
	}
	if start > 0 && text[start-1] == '%' && end-start > 2 && areHex(text[start:start+2]) {
		start += 2
	}
	a.name, a.start = text[start:end], start
	a.words = Words(a.name)
	if len(a.words) == 0 {
		return a, false
	}
	a.words = append(wordsBefore(text, start), a.words...)
	a.query = start > 0 && (text[start-1] == '?' || text[start-1] == '&') && queryWords[a.words[len(a.words)-1]] &&
		strengthOf(a.words) == none
	return a, !inResourceName(text, start)
}

// beforeRemark is the end of a name without the remark in brackets behind it: "password (shown once): ...".
func beforeRemark(text string, first, end int) int {
	if end == first || text[end-1] != ')' && text[end-1] != ']' {
		return end
	}
	opening := strings.LastIndexAny(text[first:end], "([")
	if opening < 1 || text[first+opening-1] != ' ' || strings.Contains(text[first+opening:end], "\n") {
		return end
	}
	return first + opening - 1
}

// inResourceName reports whether a position is inside the name of a resource of a cloud, arn:aws:…:secret:name, whose
// colons separate no names from values.
func inResourceName(text string, at int) bool {
	start := at
	for start > max(0, at-longestName) && (isNameByte(text[start-1]) || text[start-1] == ':' || text[start-1] == '/') {
		start--
	}
	return strings.HasPrefix(text[start:at], "arn:") || strings.HasPrefix(text[start:at], "urn:")
}

// closesString reports whether the quote in front of the value ends a string that began before the name, as in a
// program: fmt.Errorf("token: " + reason).
func (a assignment) closesString(text string) bool {
	if !a.value.quoted || a.quoted || a.value.start == 0 || text[a.value.start-1] != '"' ||
		a.value.start > 1 && text[a.value.start-2] == '\\' {
		return false
	}
	line := text[strings.LastIndexByte(text[:a.start], '\n')+1 : a.start]
	return (strings.Count(line, `"`)-strings.Count(line, `\"`))%2 == 1
}

// wordsBefore are up to two words on the same line in front of a name: "api key", "unexpected token".
func wordsBefore(text string, end int) []string {
	var before []string
	for range 2 {
		if end == 0 || text[end-1] != ' ' {
			break
		}
		start := end - 1
		for start > max(0, end-longestName) && (isWord(text[start-1]) || text[start-1] == '-' || text[start-1] == '_') {
			start--
		}
		if start == end-1 {
			break
		}
		before = append(Words(text[start:end-1]), before...)
		end = start
	}
	return before
}

// judge reports whether the value of an assignment is a credential, and where it stands.
func (a assignment) judge(text string) (span, bool) {
	content := a.value.in(text)
	s := span{a.value.start, a.value.end, "a value for " + a.name}
	if a.query {
		return s, random(strings.ReplaceAll(content, "%", ""))
	}
	if !secretBy(a.words, unescaped(content)) {
		return span{}, false
	}
	line := text[a.value.end:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	last := a.words[len(a.words)-1]
	bare := !a.value.quoted && !a.quoted
	switch {
	case bare && isMessage(content, line), bare && strings.HasPrefix(line, ": "), bare && call.MatchString(content):
		return span{}, false
	case bare && last == "PASS" && len(Words(a.name)) == 1 && text[a.start+len(a.name)] == ':':
		// PASS: TestName, and "first pass: scanning".
		return s, text[a.start] == 'p' && (mixed(content) || strings.TrimSpace(line) == "")
	case bare && !strings.HasPrefix(last, "PASS") && isPortOf(text, a, content):
		return span{}, false
	case last == "SECRET" && isObjectName(content, a), isMetavariable(content, a.words):
		return span{}, false
	}
	return s, true
}

// call matches what a program computes: flag.String("password", ...), random_password.db.result.
var call = regexp.MustCompile(`^(?:(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*\(|[a-z_]{4,}\((?:["'{\[)]|[a-z_.]+\))|` +
	`[a-z_]+(?:\.[a-z_]+){2,}$)`)

// isPortOf reports whether the value is a port behind the name of a host: api-token:8080.
func isPortOf(text string, a assignment, content string) bool {
	return len(content) <= 5 && isNumber(content) && a.value.start > 0 && text[a.value.start-1] == ':'
}

// isMetavariable reports whether a value is the name of what belongs there: TOKEN=YOUR_TOKEN.
func isMetavariable(value string, name []string) bool {
	if value != strings.ToUpper(value) || !strings.ContainsAny(value, "_-") && len(value) > 12 {
		return false
	}
	words := Words(value)
	return len(words) > 0 && strengthOf(words) == strong && slices.Contains(name, words[len(words)-1])
}

// isObjectName reports whether the value behind the bare word "secret" is the name of a Secret of Kubernetes: with its
// namespace, or with a word that such names have.
func isObjectName(value string, a assignment) bool {
	if len(Words(a.name)) > 1 {
		return false
	}
	namespace, name, both := strings.Cut(value, "/")
	if !both {
		name = namespace
	}
	parts := strings.Split(name, "-")
	for _, part := range append(parts, strings.Split(namespace, "-")...) {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9')
		}) {
			return false
		}
	}
	return both || len(parts) > 1 && slices.ContainsFunc(parts, func(part string) bool { return objectWords[part] })
}

var objectWords = set("secret secrets db tls credentials creds token tokens config production staging prod cert " +
	"certs auth " +
	"keys key pull registry database postgres redis app api")

// unescaped is a value without the escapes of quotes in it.
func unescaped(content string) string {
	if !strings.Contains(content, `\`) {
		return content
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\/`, `/`).Replace(content)
}

// pairWords name the parts of {"name": …, "value": …}.
var pairWords = set("NAME KEY VARIABLE HEADER FIELD PARAM PARAMETER TYPE ID LABEL OPTION VALUE VAL CONTENT")

// pairs joins the name and the value of an object that has a field for each.
type pairs struct {
	name  []string
	value value
	// nameEnd and valueEnd are where they ended; 0 before the first one.
	nameEnd, valueEnd int
}

func (p *pairs) add(text string, a assignment) []span {
	content := a.value.in(text)
	switch a.words[len(a.words)-1] {
	case "VALUE", "VAL", "CONTENT":
		p.value, p.valueEnd = a.value, a.value.end
	default:
		// {"name": "apiToken", "type": "string", "value": ...}: a type takes nothing from a name.
		if strengthOf(p.name) > none && p.nameEnd > 0 && !strings.Contains(text[p.nameEnd:a.value.end], "}") {
			break
		}
		p.name, p.nameEnd = Words(content), a.value.end
	}
	first, last := min(p.nameEnd, p.valueEnd), max(p.nameEnd, p.valueEnd)
	// Where blanks and line ends are escaped, the one may reach over the other: nothing is between them then.
	between := text[first:max(first, last-len(content))]
	if p.nameEnd == 0 || p.valueEnd == 0 || len(between) > pairDistance || strings.Contains(between, "}") {
		return nil
	}
	defer func() { p.nameEnd, p.valueEnd = 0, 0 }()
	if !secretBy(p.name, p.value.in(text)) {
		return nil
	}
	return []span{{p.value.start, p.value.end, "a value for " + strings.Join(p.name, "_")}}
}
