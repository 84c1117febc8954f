package document

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReplaceSection(t *testing.T) {
	section := "<!-- preview: begin -->\nnew\n<!-- preview: end -->\n"
	tests := map[string]struct{ document, want string }{
		"no document": {"", section},
		"without it":  {"# Benchmarks\n", "# Benchmarks\n\n" + section},
		"with an old one": {"# B\n\n<!-- preview: begin -->\nold\n<!-- preview: end -->\n\n## Other\n", "# B\n\n" + section +
			"\n## Other\n"},
		"of another name": {"<!-- up: begin -->\nx\n<!-- up: end -->\n", "<!-- up: begin -->\nx\n<!-- up: end -->\n\n" +
			section},
		"that never ended": {"<!-- preview: begin -->\nold\n", "<!-- preview: begin -->\nold\n\n" + section},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, Replace(test.document, "preview", "new\n")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	once := Replace("# B\n", "preview", "new")
	if diff := cmp.Diff(once, Replace(once, "preview", "new")); diff != "" {
		t.Errorf("replacing a section by itself changes the document: %s", diff)
	}
}
