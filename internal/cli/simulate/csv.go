package simulate

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
)

// Columns of the CSV. The last one may be left out.
const (
	columnTime  = "time"
	columnTrack = "track"
	columnN     = "n"
	columnK     = "k"
	columnSlow  = "slow"
)

var columns = []string{columnTime, columnTrack, columnN, columnK, columnSlow}

// mostRows bounds what is read: more than a week of both tracks, second by second.
const mostRows = 1_300_000

// longest bounds the time from the beginning to the end.
const longest = 10 * 365 * 24 * time.Hour

// origin is where times that are given as durations begin.
var origin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// ReadCSV reads traffic: a header with the columns time, track, n, k and, where durations were recorded, slow, in any
// order; then a row for each track and time. n are the requests that the track counted since its row before, k those
// of them that failed, slow those that were slow. time is RFC 3339, or a duration since the beginning such as 15s or
// 1h30m; it is the end of what is counted, and does not go back. The first row counts over as much time as lies
// between the first two times, or from the beginning on. A time without a row for a track is one at which nobody
// looked. Lines that begin with # are comments.
//
// The error names the line, what it has and what is allowed.
func ReadCSV(from io.Reader) (Traffic, error) {
	reader := csv.NewReader(withoutMark(from))
	reader.Comment, reader.ReuseRecord, reader.TrimLeadingSpace = '#', true, true
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return Traffic{}, fmt.Errorf("the file is empty: it begins with the header %s", strings.Join(columns, ","))
	}
	if err != nil {
		return Traffic{}, err
	}
	parser, err := newParser(header)
	if err != nil {
		return Traffic{}, err
	}
	for rows := 0; ; rows++ {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return parser.finish()
		}
		if err != nil {
			return Traffic{}, err
		}
		if rows == mostRows {
			return Traffic{}, fmt.Errorf("more than %d rows: give a coarser record", mostRows)
		}
		if err := parser.row(record); err != nil {
			line, _ := reader.FieldPos(0)
			return Traffic{}, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// withoutMark leaves out the byte order mark that spreadsheets put in front.
func withoutMark(from io.Reader) io.Reader {
	buffered := bufio.NewReader(from)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3) // It was just seen.
	}
	return buffered
}

// parser reads rows one after the other.
type parser struct {
	at       map[string]int
	traffic  Traffic
	relative bool
}

func newParser(header []string) (*parser, error) {
	p := &parser{at: map[string]int{}}
	for i, name := range header {
		name = strings.TrimSpace(name)
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("line 1: unknown column %q: allowed are %s", name, strings.Join(columns, ", "))
		}
		if _, twice := p.at[name]; twice {
			return nil, fmt.Errorf("line 1: column %s is there twice", name)
		}
		p.at[name] = i
	}
	for _, name := range columns[:4] {
		if _, ok := p.at[name]; !ok {
			return nil, fmt.Errorf("line 1: column %s is missing: the header is %s, the last one where durations were recorded",
				name, strings.Join(columns, ","))
		}
	}
	_, p.traffic.Durations = p.at[columnSlow]
	return p, nil
}

func (p *parser) row(record []string) error {
	end, relative, err := parseTime(strings.TrimSpace(record[p.at[columnTime]]))
	if err != nil {
		return err
	}
	counts, err := p.counts(record)
	if err != nil {
		return err
	}
	last := len(p.traffic.Intervals) - 1
	switch {
	case last < 0:
		p.relative = relative
	case relative != p.relative:
		return errors.New("times are either all RFC 3339 or all durations since the beginning")
	case end.Before(p.traffic.Intervals[last].End):
		return fmt.Errorf("time %s is before the one of the row above: sort the rows by time", record[p.at[columnTime]])
	}
	if last < 0 || end.After(p.traffic.Intervals[last].End) {
		p.traffic.Intervals = append(p.traffic.Intervals, Interval{End: end})
		last++
	}
	interval := &p.traffic.Intervals[last]
	into := map[string]**Counts{names.Canary: &interval.Canary,
		names.Stable: &interval.Stable}[strings.TrimSpace(record[p.at[columnTrack]])]
	if into == nil {
		return fmt.Errorf("track %q: allowed are %s, %s", record[p.at[columnTrack]], names.Canary, names.Stable)
	}
	if *into != nil {
		return fmt.Errorf("track %s has two rows for the time %s", record[p.at[columnTrack]], record[p.at[columnTime]])
	}
	*into = &counts
	return nil
}

// parseTime reads a point in time to the millisecond.
func parseTime(text string) (at time.Time, relative bool, err error) {
	if since, err := time.ParseDuration(text); err == nil {
		if since < time.Millisecond || since > longest {
			return time.Time{}, false, fmt.Errorf("time %q: a duration since the beginning must be above 0 and within ten years",
				text)
		}
		return origin.Add(since.Truncate(time.Millisecond)), true, nil
	}
	at, err = time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1971 || at.Year() > 2200 {
		return time.Time{}, false, fmt.Errorf("time %q: allowed are RFC 3339, such as 2026-03-02T09:00:15Z, or a duration "+
			"since the beginning, such as 15s", text)
	}
	return at.UTC().Truncate(time.Millisecond), false, nil
}

func (p *parser) counts(record []string) (Counts, error) {
	var counts Counts
	for _, field := range []struct {
		name string
		into *int64
	}{{columnN, &counts.N}, {columnK, &counts.K}, {columnSlow, &counts.Slow}} {
		at, ok := p.at[field.name]
		if !ok {
			continue
		}
		number, err := strconv.ParseInt(strings.TrimSpace(record[at]), 10, 64)
		if err != nil || number < 0 || number > mostRequests {
			return Counts{}, fmt.Errorf("%s is %q: a whole number of at least 0 is needed", field.name, record[at])
		}
		*field.into = number
	}
	if counts.K > counts.N || counts.Slow > counts.N {
		return Counts{}, fmt.Errorf("k is %d and slow %d of n %d requests: neither can be more than n", counts.K, counts.Slow,
			counts.N)
	}
	return counts, nil
}

// finish finds the beginning.
func (p *parser) finish() (Traffic, error) {
	intervals := p.traffic.Intervals
	if !slices.ContainsFunc(intervals, func(i Interval) bool { return i.Canary != nil }) {
		return Traffic{}, errors.New("no row is of the canary: one track must be called canary, the other one, if there " +
			"is one, stable")
	}
	switch {
	case p.relative:
		p.traffic.Start = origin
	case len(intervals) < 2:
		return Traffic{}, errors.New("all rows are of one time: nothing tells how long it was counted; give the time as a " +
			"duration since the beginning")
	default:
		p.traffic.Start = intervals[0].End.Add(-intervals[1].End.Sub(intervals[0].End))
	}
	if span := intervals[len(intervals)-1].End.Sub(p.traffic.Start); span > longest {
		return Traffic{}, fmt.Errorf("the rows span %s, from %s on: at most ten years are allowed: give a shorter part of "+
			"the record", span, p.traffic.Start.Format(time.RFC3339))
	}
	return p.traffic, nil
}

// WriteCSV writes traffic as [ReadCSV] reads it, with times since the beginning.
func WriteCSV(to io.Writer, traffic Traffic) error {
	writer := csv.NewWriter(to)
	header := columns
	if !traffic.Durations {
		header = columns[:4]
	}
	if err := writer.Write(header); err != nil {
		return err
	}
	for _, interval := range traffic.Intervals {
		for _, row := range []struct {
			track  string
			counts *Counts
		}{{names.Canary, interval.Canary}, {names.Stable, interval.Stable}} {
			if row.counts == nil {
				continue
			}
			record := []string{interval.End.Sub(traffic.Start).String(), row.track, strconv.FormatInt(row.counts.N, 10),
				strconv.FormatInt(row.counts.K, 10), strconv.FormatInt(row.counts.Slow, 10)}
			if err := writer.Write(record[:len(header)]); err != nil {
				return err
			}
		}
	}
	writer.Flush()
	return writer.Error()
}
