package toolchain

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindRoot(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(root, "local", "tools", "etcd")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(dir, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(root, "module github.com/vextrus/finance-rollout\n")
	write(inside, "module finance-rollout/local/tools/etcd\n")
	if got, err := FindRoot(inside); err != nil || got != root {
		t.Errorf("root %q, error %v; want %q", got, err, root)
	}
	if got, err := FindRoot(filepath.Dir(root)); err == nil {
		t.Errorf("found %q outside of any checkout", got)
	}
}
