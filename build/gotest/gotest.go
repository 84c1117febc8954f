// Package gotest reads the output of `go test -json`. It prints each long test as it ends and the output of tests that
// fail, and lists the slowest tests. It imports the standard library only.
package gotest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// worthALine is the shortest duration that gets a test its own line.
const worthALine = time.Second

// event is a line of `go test -json`, as `go doc test2json` describes it.
type event struct {
	Time       time.Time
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// Test is a test that has ended, or a part of one.
type Test struct {
	Package, Name string
	Took          time.Duration
	Failed        bool
}

// String names the test with the last part of its package.
func (t Test) String() string { return path.Base(t.Package) + " " + t.Name }

// Run is the outcome of one run of `go test`.
type Run struct {
	// Ended holds the tests without subtests, and subtests without further ones, in the order in which they ended.
	Ended []Test
	// Failed is set if a test or a build failed.
	Failed bool

	first, last time.Time

	out     io.Writer
	output  map[[2]string][]string
	parents map[[2]string]bool
}

// Read follows a run until it ends. It prints long tests, the output of failures and the results of packages.
func Read(events io.Reader, out io.Writer) (*Run, error) {
	run := &Run{out: out, output: map[[2]string][]string{}, parents: map[[2]string]bool{}}
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(out, lines.Text()) // not of go test itself
			continue
		}
		run.see(e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the output of go test: %w", err)
	}
	return run, nil
}

func (r *Run) see(e event) {
	if r.first.IsZero() {
		r.first = e.Time
	}
	if e.Time.After(r.last) {
		r.last = e.Time
	}
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "run":
		if at := strings.LastIndex(e.Test, "/"); at >= 0 {
			r.parents[[2]string{e.Package, e.Test[:at]}] = true
		}
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.Failed = true
	case "pass", "fail", "skip":
		r.end(key, e)
	}
}

func (r *Run) end(key [2]string, e event) {
	test := Test{
		Package: e.Package, Name: e.Test, Failed: e.Action == "fail", Took: time.Duration(e.Elapsed * float64(time.Second)),
	}
	r.Failed = r.Failed || test.Failed
	switch {
	case test.Failed && e.Test == "":
		r.showUnfinished(e.Package)
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
	case test.Failed:
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
	case e.Test == "":
		for _, line := range r.output[key] {
			if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "?") {
				fmt.Fprint(r.out, line)
			}
		}
	case test.Took >= worthALine:
		fmt.Fprintf(r.out, "%s %8s  %s\n", e.Action, test.Took.Round(100*time.Millisecond), test)
	}
	delete(r.output, key)
	if e.Test != "" && !r.parents[key] {
		r.Ended = append(r.Ended, test)
	}
}

// showUnfinished prints the output of tests that a panic or the timeout has ended.
func (r *Run) showUnfinished(pkg string) {
	var names []string
	for key := range r.output {
		if key[0] == pkg && key[1] != "" {
			names = append(names, key[1])
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprint(r.out, strings.Join(r.output[[2]string{pkg, name}], ""))
	}
}

// Slowest are the tests that took the longest, the slowest first.
func (r *Run) Slowest(count int) []Test {
	sorted := slices.Clone(r.Ended)
	slices.SortStableFunc(sorted, func(a, b Test) int { return cmp.Compare(b.Took, a.Took) })
	return sorted[:min(count, len(sorted))]
}

// Elapsed is the time from the first event of the run to the last.
func (r *Run) Elapsed() time.Duration { return r.last.Sub(r.first) }

// Sum is the total duration of the tests, as if they had run one after another.
func (r *Run) Sum() time.Duration {
	var sum time.Duration
	for _, test := range r.Ended {
		sum += test.Took
	}
	return sum
}
