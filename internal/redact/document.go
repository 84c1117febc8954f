package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Document returns a JSON document with every credential in it replaced by [Mark], in whatever field it stands. The
// name of a field counts for its value, and so do the fields of {"name": "API_KEY", "value": …}. Names of fields that
// are plain words stay, so that the document can still be read into its type. Anything that is no JSON counts as text.
func (r Redactor) Document(document []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var out bytes.Buffer
	for {
		n, err := readNode(decoder)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return []byte(r.Text(string(document)))
		}
		n = r.clean("", n)
		n.write(&out)
		out.WriteByte('\n')
	}
	if !bytes.HasSuffix(document, []byte("\n")) {
		return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	}
	return out.Bytes()
}

// Document is [Redactor.Document] with these known secrets.
func Document(document []byte, secrets []string) []byte { return New(secrets).Document(document) }

// node is a JSON value that keeps the order of its fields.
type node struct {
	// open is '{' or '[' for an object or a list, else 0.
	open   json.Delim
	names  []string
	inner  []node
	scalar any
}

func readNode(decoder *json.Decoder) (node, error) {
	token, err := decoder.Token()
	if err != nil {
		return node{}, err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return node{scalar: token}, nil
	}
	n := node{open: open}
	for decoder.More() {
		if open == '{' {
			name, err := decoder.Token()
			if err != nil {
				return n, unexpectedEnd(err)
			}
			n.names = append(n.names, fmt.Sprint(name))
		}
		inner, err := readNode(decoder)
		if err != nil {
			return n, unexpectedEnd(err)
		}
		n.inner = append(n.inner, inner)
	}
	_, err = decoder.Token()
	return n, unexpectedEnd(err)
}

// unexpectedEnd keeps the end of the input within a value apart from the end behind it.
func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// clean redacts a value that stands under a name.
func (r Redactor) clean(name string, n node) node {
	switch n.open {
	case '{':
		pair := n.pairName()
		for i := range n.inner {
			under := n.names[i]
			if pair != "" && isValueField(under) {
				under = pair
			}
			n.inner[i] = r.clean(under, n.inner[i])
			n.names[i] = r.cleanName(n.names[i])
		}
	case '[':
		for i := range n.inner {
			n.inner[i] = r.clean(name, n.inner[i])
		}
	default:
		switch value := n.scalar.(type) {
		case string:
			n.scalar = r.Text(value)
			if secretUnder(name, value) {
				n.scalar = Mark
			}
		case json.Number:
			if secretUnder(name, value.String()) || r.Text(value.String()) != value.String() {
				n.scalar = Mark
			}
		}
	}
	return n
}

// cleanName redacts the name of a field, unless it is a plain word of a schema.
func (r Redactor) cleanName(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return name
	}
	return r.Text(name)
}

// pairName is the name in an object such as {"name": "API_KEY", "value": …}; empty when there is none.
func (n node) pairName() string {
	for i, name := range n.names {
		text, ok := n.inner[i].scalar.(string)
		if ok && (strings.EqualFold(name, "name") || strings.EqualFold(name, "key")) {
			return text
		}
	}
	return ""
}

func isValueField(name string) bool {
	return strings.EqualFold(name, "value") || strings.EqualFold(name, "val")
}

func (n node) write(out *bytes.Buffer) {
	if n.open == 0 {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(n.scalar); err == nil {
			out.Truncate(out.Len() - 1) // the line end that an encoder adds
		}
		return
	}
	out.WriteRune(rune(n.open))
	for i, inner := range n.inner {
		if i > 0 {
			out.WriteByte(',')
		}
		if n.open == '{' {
			node{scalar: n.names[i]}.write(out)
			out.WriteByte(':')
		}
		inner.write(out)
	}
	out.WriteRune(rune(n.open) + 2)
}
