package golden

import (
	"fmt"
	"strings"
	"testing"
)

// failing notes how a test would fail.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}

func (f *failing) Errorf(format string, args ...any) { f.said += fmt.Sprintf(format, args...) }

// Fatal ends the test by a panic, as the real one does by the end of its goroutine.
func (f *failing) Fatal(args ...any) {
	f.said += fmt.Sprint(args...)
	panic(f)
}

// compare gives what a comparison says.
func compare(name, got string) (said string) {
	f := &failing{}
	defer func() {
		if r := recover(); r != nil && r != any(f) {
			panic(r)
		}
		said = f.said
	}()
	Compare(f, name, got)
	return f.said
}

func TestCompare(t *testing.T) {
	t.Chdir(t.TempDir())
	if said := compare("one.txt", "one\n"); !strings.Contains(said, "one.txt") {
		t.Errorf("of a missing file it says %q", said)
	}
	*update = true
	said := compare("below/one.txt", "one\n")
	*update = false
	if again := compare("below/one.txt", "one\n"); said != "" || again != "" {
		t.Errorf("of what was written it says %q, then %q", said, again)
	}
	if said := compare("below/one.txt", "two\n"); !strings.Contains(said, "one.txt") ||
		!strings.Contains(said, "-update") || !strings.Contains(said, "two") {
		t.Errorf("of a difference it says %q", said)
	}
}
