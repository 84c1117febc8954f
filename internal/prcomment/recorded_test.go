package prcomment

import (
	"compress/gzip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testdata/week2.json.gz is what `pulumi preview -s production --json --policy-pack policies` printed on the local
// cluster after `pulumi config set week 2`, with only the paths of the machine replaced; testdata/week2.md is the
// comment on it.
func TestTheCommentOnWeek2(t *testing.T) {
	file, err := os.Open("testdata/week2.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	preview, err := Read(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/week2.md")
	if err != nil {
		t.Fatal(err)
	}
	got := Comment("0123456789abcdef", []Stack{{Name: "production", Preview: preview}})
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the comment is otherwise (-want +got):\n%s", diff)
	}
}
