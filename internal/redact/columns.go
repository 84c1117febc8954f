package redact

import "strings"

// mostRows bounds how many lines below a head of columns are read.
const mostRows = 1000

// columns finds credentials in lines with separators whose first line names the columns: user,password.
func columns(text string) []span {
	var matches []span
	for _, separator := range []string{",", ";", "\t"} {
		eachLine(lower(text), []string{"pass", "secret", "token", "pwd", "key"}, func(start, end int) {
			matches = append(matches, rowsBelow(text, start, end, separator)...)
		})
	}
	return matches
}

// isColumn reports whether a text may be the name of a column.
func isColumn(text string) bool {
	for i := range len(text) {
		if !isNameByte(text[i]) {
			return false
		}
	}
	return text != ""
}

// rowsBelow judges the lines below a head of columns, as long as they have as many.
func rowsBelow(text string, start, end int, separator string) []span {
	head := strings.Split(strings.TrimSpace(text[start:end]), separator)
	secret := false
	for i, name := range head {
		head[i] = strings.Trim(name, ` "'`)
		if !isColumn(head[i]) {
			return nil
		}
		secret = secret || strengthOf(Words(head[i])) > none
	}
	if len(head) < 2 || !secret {
		return nil
	}
	var matches []span
	for range mostRows {
		if end >= len(text) {
			break
		}
		start, end = end+1, len(text)
		if length := strings.IndexByte(text[start:], '\n'); length >= 0 {
			end = start + length
		}
		cells := strings.Split(text[start:end], separator)
		if len(cells) != len(head) {
			break
		}
		at := start
		for i, cell := range cells {
			content := strings.Trim(cell, " \"'\r")
			if from := at + strings.Index(cell, content); isMixedUnderName(head[i], content, "") {
				matches = append(matches, span{from, from + len(content), "a value in a table"})
			}
			at += len(cell) + len(separator)
		}
	}
	return matches
}
