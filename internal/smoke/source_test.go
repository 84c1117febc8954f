package smoke

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The guard has no file: the text that it gets is the suite that the file is.
func TestASourceIsTheSuiteOfItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(valid), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"", "finance-service", file} {
		source, err := Source(from)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Load(from)
		if err != nil {
			t.Fatal(err)
		}
		if from == file {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		got, err := LoadSource(source)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-file +source):\n%s", from, diff)
		}
	}
}

// A suite that the guard could not read is refused where its file is, before there is a guard that lacks it.
func TestASourceThatIsNoSuiteIsRefused(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty":           {"", "the file is empty"}, // the guard would run no suite at all
		"a suite's name":  {"finance-service\n", "must be a mapping"},
		"unknown field":   {valid + "retries: 3\n", `line 7: unknown field "retries"`},
		"another content": {strings.Repeat("#\n", maxFileBytes), "larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "shop.yaml")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			source, err := Source(file)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("%d bytes, error %v; want the file and %q", len(source), err, tt.want)
			}
		})
	}
	if _, err := Source(filepath.Join(t.TempDir(), "none.yaml")); err == nil ||
		!strings.Contains(err.Error(), "none.yaml") || !strings.Contains(err.Error(), `allowed: "finance-service"`) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestATextThatIsNoSuiteNamesTheConfiguration(t *testing.T) {
	_, err := LoadSource("name: shop\nchecks: [")
	if err == nil || !strings.HasPrefix(err.Error(), "smoke suite the suite of the configuration: ") {
		t.Errorf("error %v", err)
	}
}
