// Command gen writes docs/configuration.md: every key of Pulumi.yaml with its type, default and meaning, and every
// field of the keys that are objects, from the types that read them and meanings.yaml. A test keeps the committed
// file equal to what it writes.
//
// It may import internal/settings, and nothing else of the product.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "the checkout")
	flag.Parse()
	text, err := reference(*root)
	if err == nil {
		err = os.WriteFile(filepath.Join(*root, "docs", "configuration.md"), []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
