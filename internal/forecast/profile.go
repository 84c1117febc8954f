package forecast

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/simulate"
)

// Hour is the traffic of one hour: requests per second of the whole service, and the shares of failed and slow ones.
type Hour struct {
	Rate   float64 `json:"rate"`
	Errors float64 `json:"errors"`
	Slow   float64 `json:"slow"`
}

// Day is the traffic of a day in UTC.
type Day [24]Hour

// Profile is the service's traffic by hour of the week.
type Profile struct {
	// Source names the profile's origin for people.
	Source string
	// Days are the observed days of each weekday, from Sunday. A forecast draws whole days of them.
	Days [7][]Day
	// Durations is true when slow requests were counted.
	Durations bool
	// Notes are about what was not observed.
	Notes []string
}

// Constant is a profile without ups and downs.
func Constant(hour Hour) (Profile, error) {
	switch {
	case !(hour.Rate > 0 && hour.Rate <= 1e6):
		return Profile{}, fmt.Errorf("rate %v: allowed are requests per second above 0, up to 1000000", hour.Rate)
	case !(hour.Errors >= 0 && hour.Errors <= 1):
		return Profile{}, fmt.Errorf("error share %v: allowed are 0 to 1", hour.Errors)
	case !(hour.Slow >= 0 && hour.Slow <= 1):
		return Profile{}, fmt.Errorf("slow share %v: allowed are 0 to 1", hour.Slow)
	}
	return constant(hour), nil
}

func constant(hour Hour) Profile {
	var day Day
	for i := range day {
		day[i] = hour
	}
	p := Profile{Source: fmt.Sprintf("constant traffic of %s requests/s, of which %s fail and %s are slow",
		digits(hour.Rate), percent(hour.Errors), percent(hour.Slow)), Durations: true}
	for weekday := range p.Days {
		p.Days[weekday] = []Day{day}
	}
	return p
}

// tally is what was counted in an hour.
type tally struct {
	n, failed, slow float64
	// counted is whether the hour has any sample.
	counted bool
}

func (t tally) hour() Hour {
	if t.n <= 0 {
		return Hour{}
	}
	return Hour{Rate: t.n / time.Hour.Seconds(), Errors: min(max(t.failed/t.n, 0), 1), Slow: min(max(t.slow/t.n, 0), 1)}
}

// FromTraffic is the profile of a record, of both tracks together. Its whole days are used. Without any, the mean of
// the record stands for every hour.
func FromTraffic(traffic simulate.Traffic, source string) (Profile, error) {
	if len(traffic.Intervals) == 0 {
		return Profile{}, errors.New("the record is empty")
	}
	hours := map[time.Time]tally{}
	last := traffic.Start
	for _, interval := range traffic.Intervals {
		if length := interval.End.Sub(last); length > time.Hour {
			hour := last.Truncate(time.Hour)
			return Profile{}, fmt.Errorf("no rows between %s and %s: a forecast needs a row every hour at least: use a record "+
				"without gaps from %s on", stamp(hour), stamp(interval.End), stamp(interval.End))
		}
		at := interval.End.Add(-1).Truncate(time.Hour)
		sum := hours[at]
		for _, counts := range []*simulate.Counts{interval.Canary, interval.Stable} {
			if counts != nil {
				sum.n, sum.failed, sum.slow = sum.n+float64(counts.N), sum.failed+float64(counts.K),
					sum.slow+float64(counts.Slow)
				sum.counted = true
			}
		}
		hours[at] = sum
		last = interval.End
	}
	first := traffic.Start.Truncate(day)
	if first.Before(traffic.Start) {
		first = first.Add(day) // a day that began before the record is not whole
	}
	profile := fromHours(hours, first, last.Truncate(day))
	profile.Source, profile.Durations = source, traffic.Durations
	if profile.empty() {
		return profile.mean(hours, last.Sub(traffic.Start))
	}
	return profile.check()
}

const day = 24 * time.Hour

// fromHours are the whole days from the first one up to, but without, the day until.
func fromHours(hours map[time.Time]tally, first, until time.Time) Profile {
	var profile Profile
	var gaps missing
	for at := first; at.Before(until); at = at.Add(day) {
		var observed Day
		whole := 0
		for i := range observed {
			if sum := hours[at.Add(time.Duration(i)*time.Hour)]; sum.counted {
				observed[i] = sum.hour()
				whole++
			}
		}
		if whole < len(observed) {
			gaps.add(at, whole)
			continue
		}
		profile.Days[at.Weekday()] = append(profile.Days[at.Weekday()], observed)
	}
	profile.Notes = gaps.notes()
	return profile
}

func (p Profile) empty() bool {
	for _, days := range p.Days {
		if len(days) > 0 {
			return false
		}
	}
	return true
}

// mean is the profile of a record that is shorter than a day.
func (p Profile) mean(hours map[time.Time]tally, length time.Duration) (Profile, error) {
	var sum tally
	for _, hour := range hours {
		sum.n, sum.failed, sum.slow = sum.n+hour.n, sum.failed+hour.failed, sum.slow+hour.slow
	}
	hour := sum.hour()
	hour.Rate = sum.n / length.Seconds()
	if _, err := Constant(hour); err != nil {
		return Profile{}, fmt.Errorf("the record has no requests: %w", err)
	}
	mean := constant(hour)
	mean.Source, mean.Durations = p.Source, p.Durations
	mean.Notes = append(slices.Clone(p.Notes),
		fmt.Sprintf("the record has no whole day: the mean of its %v stands for every hour", length.Round(time.Minute)))
	return mean, nil
}

// check notes weekdays that were not observed, and refuses a profile without requests.
func (p Profile) check() (Profile, error) {
	var unseen []string
	for weekday, days := range p.Days {
		if len(days) == 0 {
			unseen = append(unseen, time.Weekday(weekday).String())
		}
	}
	if len(unseen) > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("no whole %s was observed: the other days stand for it", list(unseen, "or")))
	}
	if p.busiest() == 0 {
		return Profile{}, errors.New("the service had no request in the observed time: there is nothing to forecast from")
	}
	return p, nil
}

// pool are the days that stand for a weekday.
func (p Profile) pool(weekday time.Weekday) []Day {
	if len(p.Days[weekday]) > 0 {
		return p.Days[weekday]
	}
	var all []Day
	for _, days := range p.Days {
		all = append(all, days...)
	}
	return all
}

// expected is the mean traffic of an hour of the week.
func (p Profile) expected(at time.Time) Hour {
	var sum tally
	pool := p.pool(at.UTC().Weekday())
	for _, day := range pool {
		hour := day[at.UTC().Hour()]
		sum.n, sum.failed, sum.slow = sum.n+hour.Rate, sum.failed+hour.Rate*hour.Errors, sum.slow+hour.Rate*hour.Slow
	}
	hour := sum.hour()
	hour.Rate = sum.n / float64(len(pool))
	return hour
}

// week are the hours of a mean week, from Sunday.
func (p Profile) week() []Hour {
	var hours []Hour
	sunday := time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)
	for i := range 7 * 24 {
		hours = append(hours, p.expected(sunday.Add(time.Duration(i)*time.Hour)))
	}
	return hours
}

// overall is the mean of all hours, with the shares among all requests.
func (p Profile) overall() Hour {
	var sum tally
	week := p.week()
	for _, hour := range week {
		sum.n, sum.failed, sum.slow = sum.n+hour.Rate, sum.failed+hour.Rate*hour.Errors, sum.slow+hour.Rate*hour.Slow
	}
	hour := sum.hour()
	hour.Rate = sum.n / float64(len(week))
	return hour
}

// busiest is the rate of the busiest hour of the week.
func (p Profile) busiest() float64 {
	most := 0.0
	for _, hour := range p.week() {
		most = max(most, hour.Rate)
	}
	return most
}

// takes is the expected time from then on until the whole service has had the requests; most if it takes longer.
func (p Profile) takes(from time.Time, requests float64, most time.Duration) time.Duration {
	for at := from; at.Sub(from) < most; at = at.Truncate(time.Hour).Add(time.Hour) {
		left := at.Truncate(time.Hour).Add(time.Hour).Sub(at)
		rate := p.expected(at).Rate
		if there := rate * left.Seconds(); there < requests {
			requests -= there
			continue
		}
		return min(at.Sub(from)+time.Duration(requests/rate*float64(time.Second)), most)
	}
	return most
}

// drawn is one course of the days to come: for each day, one of those that were observed on its weekday.
type drawn struct {
	profile Profile
	seed    uint64
	days    map[int64]Day
}

func (p Profile) draw(seed uint64) *drawn {
	return &drawn{profile: p, seed: seed, days: map[int64]Day{}}
}

func (d *drawn) at(t time.Time) Hour {
	t = t.UTC()
	number := t.Unix() / int64(day/time.Second)
	today, known := d.days[number]
	if !known {
		pool := d.profile.pool(t.Weekday())
		today = pool[rand.New(rand.NewPCG(d.seed, uint64(number))).IntN(len(pool))] //nolint:gosec // it is to be repeatable
		d.days[number] = today
	}
	return today[t.Hour()]
}
