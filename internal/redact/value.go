package redact

import (
	"regexp"
	"strings"
)

// readValue reads the value that begins at a position behind a separator. A header's value goes to the end of its line.
func readValue(text string, start int, header bool) (value, bool) {
	for start < len(text) && (text[start] == ' ' || text[start] == '\t') {
		start++
	}
	if strings.HasPrefix(text[start:], "%20") {
		start += len("%20")
	}
	if start >= len(text) {
		return value{}, false
	}
	if text[start] == '\n' || text[start] == '\r' {
		return nextLine(text, start)
	}
	start = behindTag(text, start)
	if v, ok := quotedValue(text, start); ok {
		return v, true
	}
	if v, ok := blockScalar(text, start); ok {
		return v, true
	}
	if text[start] == '[' {
		if v, ok := listValue(text, start); ok {
			return v, true
		}
	}
	if header {
		return lineValue(text, start), true
	}
	return bareValue(text, start)
}

// onNextLine matches a line that holds nothing but one word or one text in quotes.
var onNextLine = regexp.MustCompile(`^\r?\n[ \t]*(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"':{}\[\],]+))[ \t]*[,}]*[ \t]*(?:\r?\n|$)`)

// nextLine reads a value on the line below its name, as tools break long lines of JSON and YAML, and as a prompt is
// answered. A bare word must look like no word of a language.
func nextLine(text string, start int) (value, bool) {
	at := onNextLine.FindStringSubmatchIndex(text[start:min(len(text), start+longestValue)])
	if at == nil {
		return value{}, false
	}
	const bare = 6 // the group of a word without quotes
	for group := 2; group < len(at); group += 2 {
		if at[group] < 0 {
			continue
		}
		v := value{start + at[group], start + at[group+1], group < bare, start + at[group+1]}
		if !v.quoted && !mixed(v.in(text)) {
			return value{}, false
		}
		return v, true
	}
	return value{}, false
}

// tag matches what YAML writes before a value: the name of its type, or that of an anchor.
var tag = regexp.MustCompile(`^(?:!!\w+|&[\w-]+) +\S`)

// behindTag is where a value begins behind its tags in YAML.
func behindTag(text string, start int) int {
	for range 2 {
		found := tag.FindString(text[start:min(len(text), start+longestName)])
		if found == "" {
			break
		}
		start += len(found) - 1
	}
	return start
}

// quotedValue reads a value in quotes, which may be escaped themselves: JSON inside JSON.
func quotedValue(text string, start int) (value, bool) {
	at := start
	if at+1 < len(text) && strings.IndexByte("bBrRuUfFLN@$", text[at]) >= 0 && (text[at+1] == '"' || text[at+1] == '\'') {
		at++ // b"…", r"…", @"…", $'…'
	}
	backslashes := 0
	for at < len(text) && text[at] == '\\' {
		at, backslashes = at+1, backslashes+1
	}
	for _, quote := range quotes {
		if !strings.HasPrefix(text[at:], quote) {
			continue
		}
		if tripled := strings.Repeat(quote, 3); len(quote) == 1 && strings.HasPrefix(text[at:], tripled) {
			if length := strings.Index(text[at+3:], tripled); length > 0 { // as Python writes a text
				return value{at + 3, at + 3 + length, true, at + 6 + length}, true
			}
		}
		at += len(quote)
		end, next := quotedEnd(text, at, closing(quote), backslashes)
		return value{at, end, true, next}, true
	}
	return value{}, false
}

func closing(quote string) string {
	switch quote {
	case "“":
		return "”"
	case "‘":
		return "’"
	}
	return quote
}

// quotedEnd finds the end of a value that was opened by a quote behind so many backslashes, and where the text goes on.
// A value that is not closed goes to the end of its line.
func quotedEnd(text string, start int, quote string, backslashes int) (end, next int) {
	limit := min(len(text), start+longestValue)
	for at := start; ; {
		index := strings.Index(text[at:limit], quote)
		if index < 0 {
			break
		}
		at += index
		run := 0
		for at-run > start && text[at-run-1] == '\\' {
			run++
		}
		doubled := quote == "'" && strings.HasPrefix(text[at+1:], "'") && at > start
		if !doubled && closes(backslashes, run) {
			return at - min(run, backslashes), at + len(quote)
		}
		at += len(quote)
		if doubled {
			at++
		}
	}
	if line := strings.IndexByte(text[start:], '\n'); line >= 0 {
		return start + line, start + line
	}
	return len(text), len(text)
}

// closes reports whether a quote behind a run of backslashes ends a value that was opened by one behind so many. Each
// layer of quoting doubles the backslashes and adds one; an even run closes an outer layer.
func closes(opened, run int) bool {
	return run%2 == 0 || opened > 0 && closes((opened-1)/2, (run-1)/2)
}

// blockScalar reads a block of YAML: "key: |" and the lines below it that are indented deeper.
func blockScalar(text string, start int) (value, bool) {
	if text[start] != '|' && text[start] != '>' {
		return value{}, false
	}
	end := strings.IndexByte(text[start:], '\n')
	if end < 0 || end > 4 || strings.Trim(text[start:start+end], "|>+-0123456789 \r") != "" {
		return value{}, false
	}
	line := strings.LastIndexByte(text[:start], '\n') + 1
	depth := indent(text[line:])
	first := start + end + 1
	at := first
	for at < len(text) {
		length := strings.IndexByte(text[at:], '\n') + 1
		if length == 0 {
			length = len(text) - at
		}
		if content := text[at : at+length]; strings.TrimSpace(content) != "" && indent(content) <= depth {
			break
		}
		at += length
	}
	from := first + indent(text[first:])
	if from >= at {
		return value{}, false
	}
	return value{from, from + len(strings.TrimRight(text[from:at], " \r\n")), true, at}, true
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// listValue reads a list on one line as one value, as Go prints headers and forms.
func listValue(text string, start int) (value, bool) {
	rest := text[start:min(len(text), start+longestValue)]
	length := strings.IndexAny(rest, "]\n")
	if strings.HasPrefix(rest, "[]") {
		length = strings.IndexAny(rest, "}\n") // []byte{0x68, 0x75}
	}
	if length < 0 || rest[length] == '\n' {
		return value{}, false
	}
	inner := strings.TrimSpace(text[start+1 : start+length])
	if inner == "" || Harmless("["+inner+"]") {
		return value{}, false
	}
	return value{start + 1, start + length, false, start + length + 1}, true
}

// lineValue reads to the end of the line, or to the quote or bracket that closes what the name stands in.
func lineValue(text string, start int) value {
	end := start
	for end < len(text) && strings.IndexByte("\n\r\"'`<", text[end]) < 0 && !atEscapedEnd(text, end) {
		end++
	}
	trimmed := start + len(strings.TrimRight(text[start:end], " \t)}]"))
	return value{start, trimmed, false, end}
}

// atEscapedEnd reports whether an escape stands at a position that ends a bare value: \n, \r, \t, \" and the like.
func atEscapedEnd(text string, at int) bool {
	return text[at] == '\\' && at+1 < len(text) && strings.IndexByte(`nrt"'`, text[at+1]) >= 0 ||
		strings.HasPrefix(text[at:], `\u00`) || strings.HasPrefix(text[at:], `\\`) && at+2 < len(text) && strings.IndexByte(`nrt"`, text[at+2]) >= 0
}

// bareValue reads a value without quotes: up to a blank, or to a sign that separates it from what follows.
func bareValue(text string, start int) (value, bool) {
	if fields, ok := connectionField(text, start); ok {
		return fields, true
	}
	end := start
	for end < len(text) && !endsBare(text, start, end) {
		end++
	}
	if end == start {
		return value{}, false
	}
	next := end
	for end > start+1 && strings.IndexByte(".,;:!?", text[end-1]) >= 0 {
		end--
	}
	return value{start, end, false, next}, true
}

func endsBare(text string, start, at int) bool {
	c := text[at]
	switch {
	case c == ' ' && at > start && text[at-1] == '\\':
		return false // a shell's way to write a blank
	case c <= ' ' || c == '<' || atEscapedEnd(text, at):
		return true
	case c == '"' || c == '\'' || c == '`':
		return at > start && closesBare(text, at+1)
	case c == ',' || c == ';' || c == '&' || c == '|':
		return separates(text, at)
	case c == '%' && (strings.HasPrefix(text[at:], "%26") || strings.HasPrefix(text[at:], "%22")):
		return true
	case c == ')' || c == ']' || c == '}':
		return closesBare(text, at+1) && !opened(text[start:at], c)
	}
	return false
}

// opened reports whether a value holds the bracket that another one closes.
func opened(value string, closing byte) bool {
	opening := map[byte]string{')': "(", ']': "[", '}': "{"}[closing]
	return strings.Count(value, opening) > strings.Count(value, string(closing))
}

// closesBare reports whether what follows a quote or bracket shows that it ended the value: nothing, a blank, or
// another sign.
func closesBare(text string, at int) bool {
	return at >= len(text) || text[at] <= ' ' || strings.IndexByte(`"'`+"`"+`,;:.)]}>\&|/<`, text[at]) >= 0
}

// separates reports whether a comma, semicolon or ampersand ends a value: behind it there is nothing, a blank, a quote
// or another name with its value.
func separates(text string, at int) bool {
	rest := text[at+1:]
	if rest == "" || rest[0] <= ' ' || strings.IndexByte(`"'{[}])`+"`", rest[0]) >= 0 || text[at] == '&' && strings.HasPrefix(rest, "&") ||
		text[at] == '&' && strings.HasPrefix(rest, "amp;") {
		return true
	}
	name := 0
	for name < min(len(rest), 64) && (isNameByte(rest[name]) || rest[name] == ' ' && text[at] == ';') {
		name++
	}
	return name > 0 && name < len(rest) && (rest[name] == '=' || rest[name] == ':')
}

// connectionField reads a field of a connection string, Server=db;Password=a b,c;Encrypt=true, which ends at the next
// semicolon only.
func connectionField(text string, start int) (value, bool) {
	limit := min(len(text), start+longestValue)
	end := strings.IndexAny(text[start:limit], ";\n\"'")
	if end < 0 {
		end = limit - start
	}
	end += start
	line := strings.LastIndexByte(text[:start], '\n') + 1
	before := text[max(line, start-longestName):start]
	semicolon := strings.LastIndexByte(before, ';')
	follows := end < len(text) && text[end] == ';' && isField(text[end+1:])
	if text[start] == '{' && (follows || semicolon >= 0) {
		if closed := strings.IndexByte(text[start:limit], '}'); closed > 0 {
			return value{start, start + closed + 1, true, start + closed + 1}, true // ODBC: PWD={a;b}
		}
	}
	if !follows && (semicolon < 0 || !isField(before[semicolon+1:]) || !strings.Contains(before[:semicolon], "=")) {
		return value{}, false
	}
	if strings.Contains(text[start:end], "=") && strings.Contains(text[start:end], " ") {
		return value{}, false // name=value pairs with blanks between them
	}
	trimmed := start + len(strings.TrimRight(text[start:end], " \t\r"))
	if end == len(text) || text[end] != ';' {
		// The last field ends where a word does.
		if blank := strings.IndexByte(text[start:trimmed], ' '); blank >= 0 && !follows {
			trimmed = start + blank
		}
	}
	if trimmed == start {
		return value{}, false
	}
	return value{start, trimmed, false, end}, true
}

// isField reports whether a text begins with a name of one or two words and an equals sign.
func isField(text string) bool {
	text = strings.TrimLeft(text, " ")
	at := 0
	for at < min(len(text), 48) && (isURLWord(text[at]) || text[at] == ' ') {
		at++
	}
	return at > 0 && at < len(text) && text[at] == '='
}
