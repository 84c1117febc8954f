package forecast

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// stamp is a time for people.
func stamp(t time.Time) string { return t.UTC().Format("Mon 2006-01-02 15:04 UTC") }

// length is a duration for people, in days where it has any.
func length(d time.Duration) string {
	d = d.Round(time.Second)
	if d < day {
		if d >= time.Minute {
			d = d.Round(time.Minute)
		}
		return short(d)
	}
	d = d.Round(time.Hour)
	days, rest := d/day, d%day
	if rest == 0 {
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, short(rest))
}

// short is a duration without its zeros: 5m instead of 5m0s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// percent prints a share.
func percent(share float64) string { return digits(100*share) + " %" }

// digits prints a number with up to three significant digits, and whole numbers whole.
func digits(value float64) string {
	if value >= 1000 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(round(value, 3), 'f', -1, 64)
}

// round keeps that many significant digits.
func round(value float64, significant int) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', significant, 64), 64)
	if err != nil {
		return value
	}
	return rounded
}

// list joins words: a, b or c.
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
