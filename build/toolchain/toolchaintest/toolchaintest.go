// Package toolchaintest checks tables of tools in tests.
package toolchaintest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/build/toolchain"
)

// CheckTable fails the test when a module below source does not pin a tool that the table builds from it, so that a
// typing error shows before a long build.
func CheckTable(t *testing.T, source string, modules []toolchain.Module) {
	t.Helper()
	for _, module := range modules {
		dir := filepath.Join(source, module.Dir)
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range module.Tools {
			if local, ok := strings.CutPrefix(tool.Package, "."); ok {
				if _, err := os.Stat(filepath.Join(dir, local, "main.go")); err != nil {
					t.Errorf("%s: %v", tool.Name, err)
				}
				continue
			}
			if !strings.Contains(string(content), tool.Package+"\n") {
				t.Errorf("%s: %s/go.mod does not name %s as a tool", tool.Name, module.Dir, tool.Package)
			}
		}
	}
}
