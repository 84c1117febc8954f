// Package document replaces sections of docs/benchmarks.md: each command of bench/ has its own. It imports nothing of
// the product.
package document

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Update replaces a section of the file, or adds it at the end.
func Update(path, name, section string) error {
	document, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the document: %w", err)
	}
	return os.WriteFile(path, []byte(Replace(string(document), name, section)), 0o644)
}

// Replace puts the section between its marks in a document, or at the end if the document does not contain them.
func Replace(document, name, section string) string {
	begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->\n"
	marked := begin + strings.TrimRight(section, "\n") + "\n" + end
	before, rest, ok := strings.Cut(document, begin)
	if _, after, closed := strings.Cut(rest, end); ok && closed {
		return before + marked + after
	}
	if document != "" {
		document = strings.TrimRight(document, "\n") + "\n\n"
	}
	return document + marked
}
