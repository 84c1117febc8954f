package main

import (
	"testing"

	"github.com/vextrus/finance-rollout/build/toolchain/toolchaintest"
)

func TestTableMatchesTheModules(t *testing.T) {
	toolchaintest.CheckTable(t, "tools", modules())
}
