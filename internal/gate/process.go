package gate

import (
	"strings"

	"github.com/prometheus/common/model"
)

// process counts the requests that one process served in a window.
type process struct {
	pod, container string

	life    Life
	series  map[model.Fingerprint]*tracked
	targets map[model.Fingerprint]bool
	// at is the time of the last scrape; Earliest before the first one.
	at model.Time
}

// tracked is a series of a process, merged over all targets that scraped it.
type tracked struct {
	pod    string
	served model.Metric
	// base is the value to count from, and seen the time of the last sample.
	base int64
	seen model.Time
	// rise is what the series rose by in the window; held is the part that waits for the confirmation of a restart.
	rise, held int64
	// blocks are the parts of rise by the number of the block of time, where blocks are asked for.
	blocks map[int]int64
}

// count adds requests that a scrape at the time saw first.
func (t *tracked) count(rise int64, at model.Time, window Window) {
	t.rise += rise
	if window.block <= 0 || rise == 0 {
		return
	}
	if t.blocks == nil {
		t.blocks = map[int]int64{}
	}
	t.blocks[window.blockOf(at.Time())] += rise
}

// String names the process for people.
func (p *process) String() string {
	if p.pod == "" {
		return "the scraped process"
	}
	return "pod " + strings.TrimPrefix(p.pod, "/")
}

func newProcess(from origin) *process {
	return &process{pod: from.pod, container: from.container, series: map[model.Fingerprint]*tracked{},
		targets: map[model.Fingerprint]bool{}, at: model.Earliest}
}

// follow counts the scrapes, which come after all earlier ones.
func (p *process) follow(scrapes []scrape, labels map[model.Fingerprint]model.Metric, window Window,
	born births) {
	for _, s := range scrapes {
		if p.at == model.Earliest {
			p.first(s, labels, window, born)
		} else {
			p.next(s, labels, window, born)
		}
		p.at = s.at
	}
}

// first is the first scrape of a process. Its counters count from 0 only if the process is younger than the start of
// the window or was scraped before, without these counters. Otherwise they may have counted for days: they are the
// base.
func (p *process) first(s scrape, labels map[model.Fingerprint]model.Metric, window Window, born births) {
	started := born.startedAt(s.at)
	young := born.scrapedBefore(s.at) || !started.IsZero() && !started.Before(window.Start)
	counts := young && window.counts(born.since(s.at), s.at)
	total := int64(0)
	for id, value := range s.values {
		series := p.track(id, labels)
		if counts {
			series.count(value, s.at, window)
		}
		series.base, series.seen = value, s.at
		total += value
	}
	p.life.Next(Page{At: s.at.Time(), Started: started, Total: total})
}

func (p *process) track(id model.Fingerprint, labels map[model.Fingerprint]model.Metric) *tracked {
	if p.series[id] == nil {
		p.series[id] = &tracked{pod: p.pod, served: labels[id], seen: model.Earliest}
	}
	return p.series[id]
}

// next is a scrape of a process that was scraped before. A series that is new since then counts from 0.
func (p *process) next(s scrape, labels map[model.Fingerprint]model.Metric, window Window, born births) {
	course := p.life.Next(p.page(s, born))
	if course == Restarted {
		for _, series := range p.series {
			series.base, series.held = 0, 0
		}
	}
	counts := course != Strange && window.counts(p.at, s.at)
	for id, value := range s.values {
		series := p.track(id, labels)
		// A series that vanished and returned lower was begun anew by its exporter: its new value is the base.
		if rise := value - series.base; counts && rise > 0 {
			if p.life.Holds() {
				series.held += rise
			} else {
				series.count(rise, s.at, window)
			}
		}
		series.base, series.seen = value, s.at
	}
	if p.life.Refuted() || !p.life.Holds() {
		p.settle(s.at, window)
	}
}

// page compares a scrape with the previous one. Without a counter that both have, it compares with the last values.
func (p *process) page(s scrape, born births) Page {
	page := Page{At: s.at.Time(), Started: born.startedAt(s.at)}
	compare := func(continued bool) (compared bool) {
		for id, value := range s.values {
			series := p.series[id]
			if series == nil || continued && series.seen != p.at {
				continue
			}
			compared = true
			page.Before, page.After = page.Before+series.base, page.After+value
			page.Fell = page.Fell || value < series.base
		}
		return compared
	}
	if !compare(true) {
		compare(false)
	}
	for _, value := range s.values {
		page.Total += value
	}
	return page
}

// named are the labels of the series with its pod, for people.
func named(pod string, served model.Metric) model.Metric {
	labels := served.Clone()
	if _, name, ok := strings.Cut(pod, "/"); ok {
		labels["pod"] = model.LabelValue(name)
	}
	return labels
}

// settle ends the holding back at a time: what was held counts, unless the restart was none.
func (p *process) settle(at model.Time, window Window) {
	for _, series := range p.series {
		if !p.life.Refuted() {
			series.count(series.held, at, window)
		}
		series.held = 0
	}
}
