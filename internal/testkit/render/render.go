// Package render renders the Markdown that reports and comments write, so that tests judge what a reader sees.
// Nothing but tests imports it.
package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
)

// T is the part of a test that this package needs; *testing.T and *rapid.T have it.
type T interface {
	Helper()
	Fatal(...any)
}

var _ T = (testing.TB)(nil)

// Markdown returns the HTML that GitHub Flavored Markdown becomes, raw HTML in it included.
func Markdown(t T, document string) *html.Node {
	t.Helper()
	var rendered bytes.Buffer
	converter := goldmark.New(goldmark.WithExtensions(extension.GFM),
		goldmark.WithRendererOptions(goldmarkhtml.WithUnsafe()))
	if err := converter.Convert([]byte(document), &rendered); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&rendered)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// Elements lists the elements and comments of a page in order, without html, head and body.
func Elements(root *html.Node) []string {
	var names []string
	for node := range root.Descendants() {
		switch {
		case node.Type == html.CommentNode:
			names = append(names, "comment")
		case node.Type == html.ElementNode && node.Data != "html" && node.Data != "head" && node.Data != "body":
			names = append(names, node.Data)
		}
	}
	return names
}

// Text returns the text below a node, without the spaces of no width that keep names and numbers from becoming links.
func Text(root *html.Node) string {
	var text strings.Builder
	for node := range root.Descendants() {
		if node.Type == html.TextNode {
			text.WriteString(node.Data)
		}
	}
	return strings.ReplaceAll(text.String(), "\u200b", "")
}
