package tools

import (
	"path/filepath"
	"testing"

	"github.com/vextrus/finance-rollout/build/toolchain/toolchaintest"
)

func TestTableMatchesTheModules(t *testing.T) {
	toolchaintest.CheckTable(t, filepath.Join("..", "..", "tools"), Modules())
}
