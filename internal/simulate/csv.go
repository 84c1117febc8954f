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

// Columns of the CSV. The last one is optional.
const (
	columnTime  = "time"
	columnTrack = "track"
	columnN     = "n"
	columnK     = "k"
	columnSlow  = "slow"
)

var columns = []string{columnTime, columnTrack, columnN, columnK, columnSlow}

// mostRows limits a file: more than a week of both tracks, second by second.
const mostRows = 1_300_000

// longest limits the time span of a record.
const longest = 10 * 365 * 24 * time.Hour

// origin is the start of a record whose times are durations.
var origin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// ReadCSV reads traffic. The header has the columns time, track, n, k and, if durations were recorded, slow, in any
// order. Each row counts the requests of a track since its previous row: n requests, k of them failed, slow of them
// slow. The time is the end of the interval, in RFC 3339 or as a duration since the start such as 15s or 1h30m, and
// never decreases. The first interval is as long as the distance between the first two times, or begins at the start.
// A time without a row for a track was not observed. Lines that begin with # are comments.
//
// An error names the line, its content and what is allowed.
func ReadCSV(from io.Reader) (Traffic, error) {
	reader := csv.NewReader(withoutMark(from))
	reader.Comment, reader.ReuseRecord, reader.TrimLeadingSpace = '#', true, true
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return Traffic{}, fmt.Errorf("the file is empty: the header %s is required", strings.Join(columns, ","))
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
			return Traffic{}, fmt.Errorf("more than %d rows: use a coarser record", mostRows)
		}
		if err := parser.row(record); err != nil {
			line, _ := reader.FieldPos(0)
			return Traffic{}, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// withoutMark skips the byte order mark that spreadsheets write.
func withoutMark(from io.Reader) io.Reader {
	buffered := bufio.NewReader(from)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3) // Peek has just read it.
	}
	return buffered
}

// parser parses the rows in order.
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
			return nil, fmt.Errorf("line 1: duplicate column %s", name)
		}
		p.at[name] = i
	}
	for _, name := range columns[:4] {
		if _, ok := p.at[name]; !ok {
			return nil, fmt.Errorf("line 1: column %s is missing: the header is %s, the last column optional",
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
		return errors.New("times must be either all RFC 3339 or all durations since the start")
	case end.Before(p.traffic.Intervals[last].End):
		return fmt.Errorf("time %s is before that of the previous row: sort the rows by time", record[p.at[columnTime]])
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
		return fmt.Errorf("track %s has two rows at %s", record[p.at[columnTrack]], record[p.at[columnTime]])
	}
	*into = &counts
	return nil
}

// parseTime parses a time, to the millisecond.
func parseTime(text string) (at time.Time, relative bool, err error) {
	if since, err := time.ParseDuration(text); err == nil {
		if since < time.Millisecond || since > longest {
			return time.Time{}, false, fmt.Errorf("time %q: a duration since the start must be above 0 and at most ten years",
				text)
		}
		return origin.Add(since.Truncate(time.Millisecond)), true, nil
	}
	at, err = time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1971 || at.Year() > 2200 {
		return time.Time{}, false, fmt.Errorf("time %q: allowed are RFC 3339, such as 2026-03-02T09:00:15Z, or a duration "+
			"since the start, such as 15s", text)
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
			return Counts{}, fmt.Errorf("%s is %q: allowed are whole numbers from 0", field.name, record[at])
		}
		*field.into = number
	}
	if counts.K > counts.N || counts.Slow > counts.N {
		return Counts{}, fmt.Errorf("k is %d and slow %d of n %d requests: neither may exceed n", counts.K, counts.Slow,
			counts.N)
	}
	return counts, nil
}

// finish determines the start.
func (p *parser) finish() (Traffic, error) {
	intervals := p.traffic.Intervals
	if !slices.ContainsFunc(intervals, func(i Interval) bool { return i.Canary != nil }) {
		return Traffic{}, errors.New("no row for the canary: the tracks are called canary and, if there is a second " +
			"one, stable")
	}
	switch {
	case p.relative:
		p.traffic.Start = origin
	case len(intervals) < 2:
		return Traffic{}, errors.New("all rows have the same time, so that the length of the interval is unknown: give " +
			"the time as a duration since the start")
	default:
		p.traffic.Start = intervals[0].End.Add(-intervals[1].End.Sub(intervals[0].End))
	}
	if span := intervals[len(intervals)-1].End.Sub(p.traffic.Start); span > longest {
		return Traffic{}, fmt.Errorf("the rows span %s from %s: allowed are ten years: use a shorter part of "+
			"the record", span, p.traffic.Start.Format(time.RFC3339))
	}
	return p.traffic, nil
}

// WriteCSV writes traffic in the format of [ReadCSV], with times since the start.
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
