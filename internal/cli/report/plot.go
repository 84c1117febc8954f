package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Geometry of a chart, in units of its view box.
const (
	plotWidth, plotHeight     = 760, 220
	left, right, top, bottom  = 64, 14, 22, 26
	plotRight, plotBottom     = plotWidth - right, plotHeight - bottom
	gapSteps                  = 2.5 // steps without a point after which a line is interrupted
	mostTimeTicks, valueTicks = 7, 4
)

// Plot is the layout of a panel.
type Plot struct {
	ID, Title, Description string
	Width, Height          int
	Left, Right            int
	Top, Bottom            int
	ValueTicks, TimeTicks  []tick
	Lines                  []line
	// Band is the outline of the panel's bounds, empty for none.
	Band   string
	Limits []rule
	Marks  []rule
	// Empty is true when there is nothing to draw.
	Empty bool
}

// tick is a labelled position on an axis.
type tick struct {
	At    string
	Label string
}

// line is the line of a track: its pieces between gaps, and dots for pieces of one point.
type line struct {
	Track  string
	Pieces []string
	Dots   []dot
}

type dot struct{ X, Y string }

// rule is a straight line with a label.
type rule struct {
	At, Label string
	Tone      Tone
	// Row is 0 or 1. It alternates, so that neighbouring labels do not overlap.
	Row int
}

// Draw lays out a panel, with an id that is its own on the page.
func (s Section) Draw(id string, panel Panel) Plot {
	p := Plot{
		ID: id, Title: panel.Title, Width: plotWidth, Height: plotHeight, Left: left, Right: plotRight, Top: top,
		Bottom: plotBottom,
		Empty:  len(panel.Canary)+len(panel.Stable) == 0,
	}
	_, canaryTop, _ := panel.summary(panel.Canary)
	_, stableTop, _ := panel.summary(panel.Stable)
	p.Description = fmt.Sprintf("%s from %s to %s: canary at most %s, stable at most %s", panel.Title, moment(s.Start),
		moment(s.End), canaryTop, stableTop)
	highest := panel.highest()
	step := niceStep(highest / valueTicks)
	ceiling := math.Ceil(highest/step-1e-9) * step
	y := func(value float64) string {
		return number(plotBottom - (plotBottom-top)*math.Min(math.Max(value/ceiling, 0), 1))
	}
	x := func(t time.Time) string {
		return number(left + (plotRight-left)*float64(t.Sub(s.Start))/float64(s.End.Sub(s.Start)))
	}
	for i := 0; float64(i)*step <= ceiling*(1+1e-9); i++ {
		p.ValueTicks = append(p.ValueTicks, tick{y(float64(i) * step), panel.Unit.print(float64(i) * step)})
	}
	p.TimeTicks = s.timeTicks(x)
	for i, limit := range panel.Limits {
		if limit.Value <= ceiling {
			p.Limits = append(p.Limits, rule{At: y(limit.Value), Label: limit.Label, Tone: Warn, Row: i % 2})
		}
	}
	for i, mark := range s.Marks {
		p.Marks = append(p.Marks, rule{At: x(mark.Time), Label: mark.Label, Tone: mark.Tone, Row: i % 2})
	}
	p.Band = outline(panel.Bounds, x, y)
	p.Lines = []line{s.line("stable", panel.Stable, x, y), s.line("canary", panel.Canary, x, y)}
	return p
}

// outline runs along the upper bounds and back along the lower ones.
func outline(bounds []Bound, x func(time.Time) string, y func(float64) string) string {
	if len(bounds) < 2 {
		return ""
	}
	var corners []string
	for _, bound := range bounds {
		corners = append(corners, x(bound.Time)+","+y(bound.Upper))
	}
	for _, bound := range slices.Backward(bounds) {
		corners = append(corners, x(bound.Time)+","+y(bound.Lower))
	}
	return strings.Join(corners, " ")
}

// highest returns the highest value of the axis. A limit counts unless it would flatten the lines.
func (p Panel) highest() float64 {
	highest := 0.0
	for _, list := range [][]Point{p.Canary, p.Stable} {
		for _, point := range list {
			highest = math.Max(highest, point.Value)
		}
	}
	// The first bounds are wide and would flatten the rest: the band may begin above the frame.
	if last := len(p.Bounds) - 1; last >= 0 {
		highest = math.Max(highest, p.Bounds[last].Upper)
	}
	for _, limit := range p.Limits {
		if highest == 0 || limit.Value < 4*highest {
			highest = math.Max(highest, limit.Value*1.05)
		}
	}
	if highest == 0 {
		return 1
	}
	return highest
}

// line splits a track's points at gaps.
func (s Section) line(track string, list []Point, x func(time.Time) string, y func(float64) string) line {
	drawn := line{Track: track}
	var piece []string
	var last Point
	flush := func() {
		switch {
		case len(piece) == 1:
			drawn.Dots = append(drawn.Dots, dot{x(last.Time), y(last.Value)})
		case len(piece) > 1:
			drawn.Pieces = append(drawn.Pieces, strings.Join(piece, " "))
		}
		piece = nil
	}
	for i, point := range list {
		if i > 0 && float64(point.Time.Sub(last.Time)) > gapSteps*float64(s.Step) {
			flush()
		}
		piece = append(piece, x(point.Time)+","+y(point.Value))
		last = point
	}
	flush()
	return drawn
}

// timeSteps are the possible distances of ticks on the time axis.
var timeSteps = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
	10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour,
	7 * 24 * time.Hour, 14 * 24 * time.Hour, 28 * 24 * time.Hour,
}

func (s Section) timeTicks(x func(time.Time) string) []tick {
	length := s.End.Sub(s.Start)
	step := length / mostTimeTicks
	for _, candidate := range timeSteps {
		if length/candidate <= mostTimeTicks {
			step = candidate
			break
		}
	}
	layout := "15:04"
	switch {
	case step < time.Minute:
		layout = "15:04:05"
	case length > 20*time.Hour && step < 24*time.Hour:
		layout = "Mon 15:04"
	case step >= 24*time.Hour:
		layout = "Jan 2"
	}
	var ticks []tick
	for at := s.Start.UTC().Truncate(step); !at.After(s.End); at = at.Add(step) {
		if !at.Before(s.Start) {
			ticks = append(ticks, tick{x(at), at.Format(layout)})
		}
	}
	return ticks
}

// niceStep rounds a value up to 1, 2 or 5 times a power of ten.
func niceStep(value float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, factor := range []float64{1, 2, 5} {
		if value <= factor*power*(1+1e-9) {
			return factor * power
		}
	}
	return 10 * power
}

// number formats a coordinate to a tenth, the visible precision.
func number(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }
