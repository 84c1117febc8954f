package simulate

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestReadCSV(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	tests := []struct {
		name, text string
		want       Traffic
	}{
		{"absolute times", "time,track,n,k\n2026-03-02T09:00:15Z,canary,10,1\n2026-03-02T09:00:30Z,canary,20,0\n", Traffic{
			Start: at("2026-03-02T09:00:00Z"),
			Intervals: []Interval{{End: at("2026-03-02T09:00:15Z"), Canary: &Counts{N: 10, K: 1}},
				{End: at("2026-03-02T09:00:30Z"), Canary: &Counts{N: 20}}},
		}},
		{"since the beginning, with slow ones, other order, comments and a byte order mark",
			"\xef\xbb\xbftrack,time,slow,n,k\r\n# a comment\r\ncanary,15s,2,10,1\r\nstable, " +
				"15s,0,90,0\r\ncanary,1h0m15s,0,5,0\r\n", Traffic{
				Start: origin, Durations: true,
				Intervals: []Interval{
					{End: origin.Add(15 * time.Second), Canary: &Counts{N: 10, K: 1, Slow: 2}, Stable: &Counts{N: 90}},
					{End: origin.Add(time.Hour + 15*time.Second), Canary: &Counts{N: 5}},
				}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadCSV(strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReadCSVSaysWhatIsWrong(t *testing.T) {
	const header = "time,track,n,k\n"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":          {"", "the header time,track,n,k,slow"},
		"open quote":     {"\"time,track,n,k\n", "parse error on line 1"},
		"no header":      {"15s,canary,1,0\n", `unknown column "15s"`},
		"missing column": {"time,track,n\n", "column k is missing"},
		"column twice":   {"time,track,n,k,n\n", "duplicate column n"},
		"no rows":        {header, "no row for the canary"},
		"only stable":    {header + "15s,stable,1,0\n", "no row for the canary"},
		"unknown track":  {header + "15s,blue,1,0\n", `line 2: track "blue": allowed are canary, stable`},
		"more bad":       {header + "15s,canary,1,2\n", "line 2: k is 2 and slow 0 of n 1 requests"},
		"negative":       {header + "15s,canary,-1,0\n", `line 2: n is "-1"`},
		"no number":      {header + "15s,canary,1.5,0\n", `line 2: n is "1.5": allowed are whole numbers`},
		"no time":        {header + "yesterday,canary,1,0\n", `line 2: time "yesterday": allowed are RFC 3339`},
		"zero":           {header + "0s,canary,1,0\n", "must be above 0"},
		"backwards": {header + "30s,canary,1,0\n15s,canary,1,0\n",
			"line 3: time 15s is before that of the previous row"},
		"twice": {header + "15s,canary,1,0\n15s,canary,1,0\n",
			"line 3: track canary has two rows at 15s"},
		"mixed":    {header + "15s,canary,1,0\n2026-03-02T09:00:15Z,canary,1,0\n", "line 3: times must be either all"},
		"one time": {header + "2026-03-02T09:00:15Z,canary,1,0\n", "the length of the interval is unknown"},
		"too long": {header + "2000-01-01T00:00:00Z,canary,1,0\n2007-01-01T00:00:00Z,canary,1,0\n",
			"the rows span 122736h0m0s from 1992-12-31T00:00:00Z: allowed are ten years"},
		"ragged":           {header + "15s,canary,1\n", "wrong number of fields"},
		"after a comment":  {header + "# one\n# two\n15s,canary,x,0\n", "line 4:"},
		"more than counts": {header + "15s,canary,9223372036854775807,0\n", "allowed are whole numbers from 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadCSV(strings.NewReader(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
		})
	}
}

// draw makes traffic up for a property.
func draw(t *rapid.T) Traffic {
	counts := rapid.Custom(func(t *rapid.T) *Counts {
		if rapid.IntRange(0, 9).Draw(t, "gap") == 0 {
			return nil
		}
		n := rapid.Int64Range(0, 50).Draw(t, "n")
		return &Counts{N: n, K: rapid.Int64Range(0, n).Draw(t, "k"), Slow: rapid.Int64Range(0, n).Draw(t, "slow")}
	})
	traffic := Traffic{Start: origin, Durations: true}
	end := origin
	for range rapid.IntRange(1, 200).Draw(t, "intervals") {
		end = end.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
		interval := Interval{End: end, Canary: counts.Draw(t, "canary"), Stable: counts.Draw(t, "stable")}
		if interval.Canary != nil || interval.Stable != nil {
			traffic.Intervals = append(traffic.Intervals, interval)
		}
	}
	traffic.Intervals = append(traffic.Intervals, Interval{End: end.Add(time.Second), Canary: &Counts{N: 1}})
	return traffic
}

func TestCSVComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := draw(t)
		var file bytes.Buffer
		if err := WriteCSV(&file, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCSV(&file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

// FuzzCSV feeds arbitrary texts. Accepted traffic can be judged, and is the same after it was written and read again.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"time,track,n,k\n15s,canary,10,1\n30s,canary,20,0\n",
		"time,track,n,k,slow\n2026-03-02T09:00:15Z,canary,10,1,2\n2026-03-02T09:00:30Z,stable,20,0,1\n",
		"\xef\xbb\xbftrack,time,slow,n,k\r\n#x\r\ncanary,15s,2,10,1\r\n", "time,track,n,k\n\"1\n5s\",canary,1,1\n",
		"time,track,n,k\n2000-01-01T00:00:00Z,canary,10,0\n2007-01-01T00:00:00Z,stable,10,0\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		traffic, err := ReadCSV(strings.NewReader(text))
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		last := traffic.Start
		for _, interval := range traffic.Intervals {
			if !interval.End.After(last) || interval.Canary == nil && interval.Stable == nil {
				t.Fatalf("interval %+v after %v", interval, last)
			}
			last = interval.End
		}
		var file bytes.Buffer
		if err := WriteCSV(&file, traffic); err != nil {
			t.Fatal(err)
		}
		again, err := ReadCSV(&file)
		if err != nil || len(again.Intervals) != len(traffic.Intervals) {
			t.Fatalf("%d intervals became %d: %v", len(traffic.Intervals), len(again.Intervals), err)
		}
		recording, err := traffic.Recording(500 * time.Millisecond)
		if err != nil {
			return // more requests than can be counted
		}
		if recording.End.Sub(recording.Start) > 100*time.Hour {
			return // judged as well, but not within a fuzz test's patience
		}
		if _, err := Run(t.Context(), recording, testLimits()); err != nil {
			t.Fatal(err)
		}
	})
}
