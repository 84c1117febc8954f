package toolchain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// FindRoot returns the checkout that the directory is in.
func FindRoot(dir string) (string, error) {
	const module = "module github.com/vextrus/finance-rollout\n"
	start := dir
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(content), module) {
			return filepath.EvalSymlinks(dir)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of finance-rollout; change to one or use --root", start)
		}
		dir = filepath.Dir(dir)
	}
}
