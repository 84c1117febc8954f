package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// result holds the runs of a scenario.
type result struct {
	scenario scenario
	date     time.Time
	runs     []outcome
	// beside is the number of stacks that were used at the same time.
	beside int
}

// markdown returns the section of the document.
func (r result) markdown(o options) string {
	var text strings.Builder
	s := r.scenario
	together := ""
	if s.fast {
		together = "; the guard was kept from Prometheus and its alerts"
	}
	if r.beside > 1 {
		together = fmt.Sprintf(", %d at a time in separate stacks", r.beside)
	}
	fmt.Fprintf(&text, "### Guard: %s%s\n\n%s, %d cores, Go %s, %d requests/s %s, %d runs%s.\n\n",
		s.title, o.suffix(), r.date.Format(time.DateOnly), runtime.NumCPU(),
		strings.TrimPrefix(runtime.Version(), "go"), o.rate,
		o.connections(), len(r.runs), together)
	var took []time.Duration
	var failed []int
	stayed := 0
	for _, run := range r.runs {
		failed = append(failed, run.failed)
		if run.took < 0 {
			stayed++
			continue
		}
		took = append(took, run.took)
	}
	text.WriteString("| | median | best | worst | goal | |\n|---|---|---|---|---|---|\n")
	if s.stays {
		fmt.Fprintf(&text, "| rolled back | %d of %d | | | none | %s |\n", len(took), len(r.runs), verdict(len(took) == 0))
		slices.Sort(failed)
		fmt.Fprintf(&text, "| failed answers that reached customers | %d | %d | %d | | |\n", failed[len(failed)/2], failed[0],
			failed[len(failed)-1])
		return text.String()
	}
	if len(took) > 0 {
		slices.Sort(took)
		median := took[len(took)/2]
		met := stayed == 0 && (s.median == 0 || median <= s.median) && (s.worst == 0 || took[len(took)-1] <= s.worst)
		fmt.Fprintf(&text, "| time until no canary pod takes requests | %s | %s | %s | %s | %s |\n",
			seconds(median), seconds(took[0]), seconds(took[len(took)-1]), goalText(s.median, s.worst), verdict(met))
	}
	slices.Sort(failed)
	median, worst := failed[len(failed)/2], failed[len(failed)-1]
	goal, met := "none", ""
	if s.most > 0 {
		goal = fmt.Sprintf("median at most %d, never above %d", s.answers, s.most)
		met = verdict(median <= s.answers && worst <= s.most)
	}
	fmt.Fprintf(&text, "| failed answers that reached customers | %d | %d | %d | %s | %s |\n", median, failed[0], worst,
		goal, met)
	text.WriteString(r.late())
	if stayed > 0 {
		fmt.Fprintf(&text, "\nIn %d of %d runs the canary was not out after %v.\n", stayed, len(r.runs), s.limit)
	}
	return text.String()
}

// late is the row about the failures after the canary was out.
func (r result) late() string {
	var counts []int
	var last time.Duration
	for _, run := range r.runs {
		counts, last = append(counts, run.late), max(last, run.last)
	}
	slices.Sort(counts)
	worst := counts[len(counts)-1]
	return fmt.Sprintf("| of them after the canary was out | %d | %d | %d, %s after it | at most 10, none later than 6 s "+
		"| %s |\n",
		counts[len(counts)/2], counts[0], worst, seconds(last), verdict(worst <= 10 && last <= 6*time.Second))
}

// connections says how the customers connect.
func (o options) connections() string {
	if o.kept == 0 {
		return "over a connection each"
	}
	return fmt.Sprintf("over %d kept connections", o.kept)
}

func goalText(median, worst time.Duration) string {
	switch {
	case median > 0:
		return fmt.Sprintf("median at most %s, never above %s", seconds(median), seconds(worst))
	default:
		return fmt.Sprintf("never above %s", seconds(worst))
	}
}

func seconds(d time.Duration) string {
	if d >= 2*time.Minute {
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}
