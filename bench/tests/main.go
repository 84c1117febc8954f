// Command tests writes the slowest end-to-end tests of the last `make e2e` into docs/benchmarks.md. It reads the
// record of that run, .local/logs/e2e.json, and imports nothing of the product.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/build/gotest"
)

// listed is how many tests the table holds.
const listed = 10

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	record := flag.String("record", filepath.Join(".local", "logs", "e2e.json"), "what go test -json printed")
	output := flag.String("output", filepath.Join("docs", "benchmarks.md"), "the file whose section is replaced")
	flag.Parse()
	file, err := os.Open(*record)
	if err != nil {
		return fmt.Errorf("read the record of the tests: %w; run `make e2e` first", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	tests, err := gotest.Read(file, io.Discard)
	if err != nil {
		return err
	}
	if tests.Failed {
		return fmt.Errorf("%s is of a run that failed; run `make e2e` again", *record)
	}
	section := markdown(tests, info.ModTime())
	fmt.Println(section)
	return document.Update(*output, "tests", section)
}

// markdown is the section: how long the whole took, and the slowest of its tests.
func markdown(tests *gotest.Run, at time.Time) string {
	var text strings.Builder
	fmt.Fprintf(&text, "## End-to-end tests\n\n%s, %d cores, Go %s, tools built: %d tests in %s, which took %s one after "+
		"another. The slowest:\n\n| test | s |\n|---|---|\n", at.UTC().Format(time.DateOnly), runtime.NumCPU(),
		strings.TrimPrefix(runtime.Version(), "go"), len(tests.Ended), minutes(tests.Elapsed()), minutes(tests.Sum()))
	for _, test := range tests.Slowest(listed) {
		fmt.Fprintf(&text, "| `%s` | %.0f |\n", test, test.Took.Seconds())
	}
	return text.String()
}

func minutes(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}
