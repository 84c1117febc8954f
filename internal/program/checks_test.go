package program

import (
	"os"
	"strings"
	"testing"
)

// A CLI is allowed from the version that the end-to-end tests run: the one that the local cluster's tools pin.
func TestTheOldestCLIIsTheTestedOne(t *testing.T) {
	pinned, err := os.ReadFile("../../local/tools/platform/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := strings.TrimPrefix(cliVersion, ">=")
	if !strings.Contains(string(pinned), "github.com/pulumi/pulumi/pkg/v3 v"+version+"\n") {
		t.Errorf("the program allows the CLI from %s, which is not the tested one", version)
	}
}
