package prcomment

import (
	"compress/gzip"
	"os"
	"testing"

	"github.com/vextrus/finance-rollout/internal/golden"
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
	golden.Compare(t, "week2.md", Comment("0123456789abcdef", []Stack{{Name: "production", Preview: preview}}))
}
