// Command gen writes docs/configuration.md: every key of Pulumi.yaml with its type, default and meaning, and every
// field of the keys that are objects, from the types that read them and meanings.yaml. It writes docs/smoke-suite.md
// from the source of the types that read a smoke suite. A test keeps the committed files equal to what it writes.
//
// It may import internal/settings, and nothing else of the product.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// documents are the pages with what writes them from a checkout.
var documents = []struct {
	name  string
	write func(root string) (string, error)
}{{"configuration.md", reference}, {"smoke-suite.md", suiteReference}}

func main() {
	root := flag.String("root", ".", "the checkout")
	flag.Parse()
	var err error
	for _, document := range documents {
		text, problem := document.write(*root)
		if problem == nil {
			problem = os.WriteFile(filepath.Join(*root, "docs", document.name), []byte(text), 0o644)
		}
		err = errors.Join(err, problem)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
