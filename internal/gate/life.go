package gate

import "time"

// Course is what happened to the counters of a process between two scrapes of it.
type Course uint8

const (
	// Continues means that the counters go on from their values at the previous scrape.
	Continues Course = iota
	// Restarted means that the process restarted in between: all its counters began at 0. The counts since then are
	// held back while [Life.Holds] says so.
	Restarted
	// Strange means that counters fell although the process did not restart. The scrape counts nothing, and the next
	// one counts from it.
	Strange
)

const (
	// startJitter is the greatest change of a start time that is no restart: some runtimes compute it anew each time.
	startJitter = time.Second
	// clockSkew is how far the clocks of a pod and of its scraper may differ.
	clockSkew = 5 * time.Second
	// holdScrapes is the number of scrapes that confirm a guessed restart.
	holdScrapes = 4
	// mostStrange and strangeShare are the numbers of strange scrapes, and their share of all, that a process may have.
	mostStrange  = 2
	strangeShare = 0.02
)

// Page is a scrape of a process, compared with the previous one.
type Page struct {
	At time.Time
	// Started is when the process started; zero if that is unknown.
	Started time.Time
	// Total is the sum of all counters.
	Total int64
	// Before and After are the sums over the counters that both scrapes have, at the previous one and at this one. Fell
	// reports whether any of them is lower than before.
	Before, After int64
	Fell          bool
}

// Life follows the process behind a page of counters. A reset belongs to a process and not to a counter: a process
// restarted if its start time says so. Where that is unknown, it restarted if its counters fell together and stayed
// low for a few scrapes. A counter that vanishes shows no restart, because exporters forget what is idle.
//
// Several worker processes behind one page look like a process that restarts at every other scrape; a Life tells them
// apart, because the counters regain at once what they lost. The zero value is a process that was not scraped yet.
type Life struct {
	at, started time.Time
	total       int64
	scrapes     int
	strange     int
	// high and low are the totals before and after the last guessed restart; refuted is whether it turned out to be
	// none, and refutations are how many did.
	guessed, refuted bool
	high, low        int64
	refutations      int
	// doubt is the number of scrapes until a guessed restart is confirmed.
	doubt int
}

// Next judges the next scrape.
func (l *Life) Next(page Page) Course {
	course := Continues
	switch {
	case l.scrapes == 0:
	case !l.started.IsZero() && !page.Started.IsZero():
		course = l.known(page)
	default:
		course = l.guess(page)
	}
	l.scrapes++
	l.at, l.total = page.At, page.Total
	if !page.Started.IsZero() {
		l.started = page.Started
	}
	if course == Strange {
		l.strange++
	}
	return course
}

// known judges a scrape by the start times of the process.
func (l *Life) known(page Page) Course {
	l.doubt = 0
	moved := page.Started.Sub(l.started).Abs() > startJitter
	switch {
	case moved && page.Started.After(l.at.Add(-clockSkew)):
		return Restarted
	case moved || page.Fell:
		return Strange
	default:
		return Continues
	}
}

// guess judges a scrape by the counters alone.
func (l *Life) guess(page Page) Course {
	if !page.Fell || page.After > page.Before {
		l.doubt = max(l.doubt-1, 0)
		// A process that restarted needs many scrapes to count as much as before.
		if l.guessed && page.Total >= l.high && l.total < l.low+(l.high-l.low)/2 {
			l.refute()
		}
		if page.Fell {
			return Strange
		}
		return Continues
	}
	if l.doubt > 0 {
		l.refute()
	}
	l.guessed, l.refuted, l.high, l.low, l.doubt = true, false, l.total, page.Total, holdScrapes
	return Restarted
}

// refute notes that the last guessed restart was none.
func (l *Life) refute() {
	if !l.refuted {
		l.refutations++
	}
	l.refuted = true
}

// Holds reports whether the counts since a guessed restart still wait for their confirmation.
func (l *Life) Holds() bool { return l.doubt > 0 }

// Refuted reports whether the last guessed restart was none: the counters came back at once to what they were before,
// or fell again at once. Another process answered, and what it counts is no rise.
func (l *Life) Refuted() bool { return l.refuted }

// IsStrange reports whether the counters do not belong to one process: several processes answer, or the counters fall
// without a restart too often. Their rises are no requests.
func (l *Life) IsStrange() bool {
	return l.strange+l.refutations > max(mostStrange, int(strangeShare*float64(l.scrapes)))
}

// Oddities is the number of scrapes at which counters fell without a restart.
func (l *Life) Oddities() int { return l.strange + l.refutations }
