package main

import "github.com/vextrus/finance-rollout/build/toolchain"

// modules is the table of the tools that check and release the code. Their modules are below build/tools.
func modules() []toolchain.Module {
	return []toolchain.Module{
		{
			Dir: "golangci-lint",
			Tools: []toolchain.Tool{{
				Name: "golangci-lint", Package: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint",
				Min: "2.15.0", Below: "2.16.0", Probe: []string{"version"},
			}},
		},
		{
			Dir:   "govulncheck",
			Tools: []toolchain.Tool{{Name: "govulncheck", Package: "golang.org/x/vuln/cmd/govulncheck"}},
		},
		{
			Dir: "cyclonedx-gomod",
			Tools: []toolchain.Tool{{
				Name: "cyclonedx-gomod", Package: "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod",
			}},
		},
		{
			Dir:   "actionlint",
			Tools: []toolchain.Tool{{Name: "actionlint", Package: "github.com/rhysd/actionlint/cmd/actionlint"}},
		},
	}
}
