// Package docs holds the checks that keep the documentation true to the tree.
package docs

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = ".."

// skipped are folders without documents of this project: built things, and outputs that tests compare with.
var skipped = []string{".git", ".local", "bin", "testdata"}

// files gives the paths below the root that end in one of the suffixes.
func files(t *testing.T, suffixes ...string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(skipped, entry.Name()) {
			return filepath.SkipDir
		}
		if slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(path, suffix) }) {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no file ends in %q", suffixes)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

var (
	fence    = regexp.MustCompile("(?ms)^```.*?\n```")
	indented = regexp.MustCompile(`(?m)^(    |\t).*$`)
	span     = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} (.+?)\s*$`)
	linked   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	dropped  = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
	mention  = regexp.MustCompile(`\bdocs/[a-z-]+\.md(#[a-z0-9-]+)?`)
)

// links gives the targets of the links in a Markdown text, without its code.
func links(text string) []string {
	for _, code := range []*regexp.Regexp{fence, indented, span} {
		text = code.ReplaceAllString(text, "")
	}
	var targets []string
	for _, match := range link.FindAllStringSubmatch(text, -1) {
		targets = append(targets, match[1])
	}
	return targets
}

// anchors gives the anchors of the headings of a Markdown text, by GitHub's rules.
func anchors(text string) []string {
	var names []string
	uses := map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := linked.ReplaceAllString(strings.ToLower(match[1]), "$1")
		name = strings.ReplaceAll(dropped.ReplaceAllString(name, ""), " ", "-")
		unique := name
		if uses[name] > 0 {
			unique += "-" + strconv.Itoa(uses[name])
		}
		uses[name]++
		names = append(names, unique)
	}
	return names
}

// broken says why a link in a document leads nowhere; empty when it resolves or leads outside.
func broken(t *testing.T, document, target string) string {
	t.Helper()
	address, err := url.Parse(target)
	if err != nil {
		return err.Error()
	}
	if address.Scheme != "" {
		return ""
	}
	path := document
	if address.Path != "" {
		path = filepath.Join(filepath.Dir(document), filepath.FromSlash(address.Path))
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return path + " does not exist"
	}
	if address.Fragment == "" {
		return ""
	}
	if known := anchors(read(t, path)); !slices.Contains(known, address.Fragment) {
		return path + " has only the anchors #" + strings.Join(known, ", #")
	}
	return ""
}

func TestEveryLinkResolves(t *testing.T) {
	for _, document := range files(t, ".md") {
		for _, target := range links(read(t, document)) {
			if why := broken(t, document, target); why != "" {
				t.Errorf("%s links to %s: %s", document, target, why)
			}
		}
	}
}

func TestEveryDocumentThatTheTreeMentionsExists(t *testing.T) {
	for _, path := range files(t, ".go", ".yaml", "Makefile") {
		for _, target := range mention.FindAllString(read(t, path), -1) {
			if why := broken(t, filepath.Join(root, "root"), target); why != "" {
				t.Errorf("%s mentions %s: %s", path, target, why)
			}
		}
	}
}

func TestAnchorsFollowGitHub(t *testing.T) {
	text := "# Two Words\n\n## `pulumi up`, again?\n\n## Two words\n\n```\n# no heading\n```\n\n### [A link](x.md) & snake_case\n"
	want := []string{"two-words", "pulumi-up-again", "two-words-1", "a-link--snake_case"}
	if got := anchors(text); !slices.Equal(got, want) {
		t.Errorf("anchors %q, want %q", got, want)
	}
}

func TestBrokenLinksAreSeen(t *testing.T) {
	for target, want := range map[string]bool{
		"cli.md": false, "cli.md#rollout-advance": false, "https://example.com/x#y": false, "../go.mod": false,
		"absent.md": true, "cli.md#absent": true, "#absent": true,
	} {
		if why := broken(t, "cli.md", target); (why != "") != want {
			t.Errorf("%s: %q", target, why)
		}
	}
	if got := links("[a](b.md) `[c](d.md)`\n\n    [e](f.md)\n\n```\n[g](h.md)\n```\n![i](j.svg)"); !slices.Equal(got,
		[]string{"b.md", "j.svg"}) {
		t.Errorf("links %q", got)
	}
}
