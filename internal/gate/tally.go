package gate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
)

// tally counts the requests of a window from its samples, which come in pieces in order of time.
type tally struct {
	window Window
	born   registry
	// processes are those of a pod, in the order of their discovery.
	processes []*process
	pods      map[string][]*process
}

func newTally(window Window, born registry) *tally {
	return &tally{window: window, born: born, pods: map[string][]*process{}}
}

// add counts a piece.
func (t *tally) add(matrix model.Matrix) error {
	series, err := counters(matrix)
	if err != nil {
		return err
	}
	of := map[*process][]*target{}
	for _, target := range targetsOf(series) {
		process := t.processOf(target, of)
		of[process] = append(of[process], target)
	}
	for _, process := range t.processes {
		targets := of[process]
		if len(targets) == 0 {
			continue
		}
		labels := map[model.Fingerprint]model.Metric{}
		for _, target := range targets {
			for id, metric := range target.labels {
				labels[id] = metric
			}
		}
		process.follow(timeline(targets), labels, t.window, t.born.of(targets[0].origin))
	}
	return nil
}

// processOf finds the process that a target scraped. Two targets of a pod scrape the same process, unless they name
// different containers or give different values at the same time.
func (t *tally) processOf(from *target, of map[*process][]*target) *process {
	known := t.pods[from.origin.pod]
	for _, p := range known {
		if p.targets[from.origin.target] {
			return p
		}
	}
	for _, p := range slices.Backward(known) {
		same := p.container == "" || from.origin.container == "" || p.container == from.origin.container
		if same && !slices.ContainsFunc(of[p], func(other *target) bool { return !other.agrees(from) }) {
			p.targets[from.origin.target] = true
			return p
		}
	}
	p := newProcess(from.origin)
	p.targets[from.origin.target] = true
	t.pods[from.origin.pod], t.processes = append(known, p), append(t.processes, p)
	return p
}

// counted are the processes that count, and a note on each that does not. It is an error if those that do not are more
// than a few: nobody knows then what was served.
func (t *tally) counted() (counted []*process, notes []string, err error) {
	for _, p := range t.processes {
		switch {
		case p.life.IsStrange():
			notes = append(notes, fmt.Sprintf("%s is not counted: its counters fall without a restart, as they do when "+
				"several worker processes answer behind one port: give each worker a port of its own, or add up their metrics",
				p))
			continue
		case p.life.Oddities() > 0:
			notes = append(notes, fmt.Sprintf("%d scrapes of %s are not counted: counters fell without a restart",
				p.life.Oddities(), p))
		}
		counted = append(counted, p)
	}
	if left := len(t.processes) - len(counted); float64(left) > mostLeftOut*float64(len(t.processes)) {
		return nil, notes, fmt.Errorf("%d of %d processes cannot be counted: %s", left, len(t.processes), notes[0])
	}
	return counted, notes, nil
}

// mostLeftOut is the greatest share of processes or requests that a count may leave out.
const mostLeftOut = 0.05

// leftOut notes the series that cannot be counted. It is an error if no others are there, or if they have more than a
// few of the requests; counted is the number of those that count.
func leftOut(series []*tracked, counted int64, others bool, reason func(*tracked) string) (notes []string, err error) {
	if len(series) == 0 {
		return nil, nil
	}
	rise := int64(0)
	for _, s := range series {
		rise += s.rise
	}
	text := reason(series[0])
	if len(series) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(series)-1)
	}
	if !others || float64(rise) > mostLeftOut*float64(counted+rise) {
		return nil, errors.New(text)
	}
	return []string{fmt.Sprintf("%d requests are left out: %s", rise, text)}, nil
}
