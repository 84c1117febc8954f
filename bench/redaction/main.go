// Command redaction measures the redactor by its corpus: how many of the planted secrets it removes, and how many of
// the look-alikes it takes for one. It needs no cluster and keeps the result as a dated table in docs/benchmarks.md.
// The seeds are fixed, so that it can be repeated.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/internal/redact"
	"github.com/vextrus/finance-rollout/internal/redact/corpus"
)

// fillings is how often the placeholders of the corpus are filled anew.
const fillings = 20

func main() {
	output := flag.String("output", filepath.Join("docs", "benchmarks.md"), "the file whose section is replaced")
	flag.Parse()
	section := measure().table(time.Now())
	fmt.Println(section)
	if err := document.Update(*output, "redaction", section); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// counted are the texts of the corpus over all fillings, and how long they took.
type counted struct {
	secrets, removed, harmless, alarms int
	bytes                              int
	took                               time.Duration
}

func measure() counted {
	var c counted
	began := time.Now()
	for seed := range uint64(fillings) {
		for _, planted := range corpus.Secrets(seed) {
			c.secrets++
			c.bytes += len(planted.Text)
			if isRemoved(planted) {
				c.removed++
			}
		}
		for _, text := range corpus.Harmless(seed) {
			c.harmless++
			c.bytes += len(text)
			if redact.Text(text, nil) != text {
				c.alarms++
			}
		}
	}
	c.took = time.Since(began)
	return c
}

func isRemoved(planted corpus.Planted) bool {
	shown := redact.Text(planted.Text, nil)
	for _, secret := range planted.Secrets {
		if strings.Contains(shown, secret) {
			return false
		}
	}
	return true
}

func (c counted) table(now time.Time) string {
	var text strings.Builder
	fmt.Fprintf(&text, "## Redaction\n\n%s, Go %s, %d planted secrets and %d look-alikes, filled by chance %d times.\n\n",
		now.UTC().Format(time.DateOnly), strings.TrimPrefix(runtime.Version(), "go"), c.secrets/fillings, c.harmless/fillings,
		fillings)
	text.WriteString("| | texts | redacted | share | goal |\n|---|---|---|---|---|\n")
	fmt.Fprintf(&text, "| planted secrets | %d | %d | %.2f %% | at least 99 %% |\n", c.secrets, c.removed,
		100*float64(c.removed)/float64(c.secrets))
	fmt.Fprintf(&text, "| look-alikes | %d | %d | %.2f %% | at most 2 %% |\n\n", c.harmless, c.alarms,
		100*float64(c.alarms)/float64(c.harmless))
	text.WriteString("The corpus is the detector's own: texts that nobody has thought of are not in it.\n")
	return text.String()
}
