package report

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Ranger answers a range query. [prometheus.Client] does.
type Ranger interface {
	Range(ctx context.Context, query string, start, end time.Time, step time.Duration) (model.Matrix, error)
}

// Section is the charts of one time span.
type Section struct {
	Title string    `json:"title"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Step is the time between points, Window the time that each point averages over.
	Step   time.Duration `json:"step"`
	Window time.Duration `json:"window"`
	Panels []Panel       `json:"panels"`
	Marks  []Mark        `json:"marks,omitempty"`
}

// Panel is one chart: a value of both tracks over time.
type Panel struct {
	Title string `json:"title"`
	// Unit is requests a second, a share from 0 to 1, or seconds.
	Unit   Unit    `json:"unit"`
	Canary []Point `json:"canary"`
	Stable []Point `json:"stable"`
	// Limits are drawn as lines, Bounds as a band around the canary's values.
	Limits []Limit `json:"limits,omitempty"`
	Bounds []Bound `json:"bounds,omitempty"`
}

// Unit is the unit of a panel's values.
type Unit string

// Units.
const (
	PerSecond Unit = "requests/s"
	Share     Unit = "share"
	Seconds   Unit = "s"
)

// Point is a value at a time.
type Point struct {
	Time  time.Time `json:"time"`
	Value float64   `json:"value"`
}

// Bound is the range of a value at a time.
type Bound struct {
	Time  time.Time `json:"time"`
	Lower float64   `json:"lower"`
	Upper float64   `json:"upper"`
}

// Limit is a line across a panel.
type Limit struct {
	Value float64 `json:"value"`
	Label string  `json:"label"`
}

// Mark is an event in a section.
type Mark struct {
	Time  time.Time `json:"time"`
	Label string    `json:"label"`
	Tone  Tone      `json:"tone"`
}

// Question is the request for a section of charts.
type Question struct {
	// Metrics are the service's, without a track; Release is the canary's version.
	Metrics gate.Metrics
	Release string
	// Criteria give the limits and the quantile.
	Criteria []gate.Criterion
	Start    time.Time
	End      time.Time
	Title    string
}

const (
	// points bounds the number of points in a chart; it has no pixels for more.
	points = 240
	// usualWindow is the window of a rate, that of the alerts, in a time span that is long enough.
	usualWindow = 5 * time.Minute
)

// pace is the step and the window of a time span. The windows cover all of it.
func (q Question) pace() (step, window time.Duration) {
	length, interval := q.End.Sub(q.Start), max(q.Metrics.ScrapeInterval, time.Second)
	step = max((length / points).Truncate(time.Second), interval)
	window = max(step, 4*interval, min(usualWindow, length/20)).Truncate(time.Second)
	return step, window
}

// Panels queries the charts of a time span: requests, errors and latency of both tracks, as on Grafana's dashboard.
func Panels(ctx context.Context, server Ranger, q Question) (Section, error) {
	if !q.End.After(q.Start) {
		return Section{}, fmt.Errorf("the time from %s to %s is empty", moment(q.Start), moment(q.End))
	}
	section := Section{Title: q.Title, Start: q.Start, End: q.End}
	section.Step, section.Window = q.pace()
	section.Panels = q.panels()
	ask, ctx := errgroup.WithContext(ctx)
	ask.SetLimit(3)
	for i := range section.Panels {
		panel := &section.Panels[i]
		for _, line := range []struct {
			metrics gate.Metrics
			into    *[]Point
		}{{q.Metrics.For(names.Canary, q.Release), &panel.Canary}, {q.Metrics.For(names.Stable, ""), &panel.Stable}} {
			ask.Go(func() error {
				query, err := q.query(panel.Unit, line.metrics, section.Window)
				if err != nil {
					return err
				}
				answer, err := server.Range(ctx, query, q.Start, q.End, section.Step)
				if err != nil {
					return err
				}
				*line.into = pointsOf(answer)
				return nil
			})
		}
	}
	return section, ask.Wait()
}

// panels are the panels without points: that of the latency only where it is judged.
func (q Question) panels() []Panel {
	requests, failed, slow := Panel{Title: "Requests per second", Unit: PerSecond},
		Panel{Title: "Error rate", Unit: Share}, Panel{Title: promql.PercentileName(q.quantile()) + " latency", Unit: Seconds}
	judged := len(q.Criteria) == 0
	for _, criterion := range q.Criteria {
		if criterion.Kind == gate.KindLatency {
			judged = true
			slow.Title = criterion.Name
			slow.Limits = []Limit{{criterion.Limit.Seconds(), "limit " + criterion.Limit.String()}}
			continue
		}
		failed.Limits = ShareLimits(criterion.Target, criterion.Rollback)
	}
	if !judged {
		// With criteria.latency off, the service may have no histogram at all.
		return []Panel{requests, failed}
	}
	return []Panel{requests, failed, slow}
}

// ShareLimits are the lines of a criterion's target and, where there is one above it, of its rollback limit, from 0 to
// 1.
func ShareLimits(target, rollback float64) []Limit {
	limits := []Limit{{target, "target " + Share.print(target)}}
	if rollback < 1 && rollback > target {
		limits = append(limits, Limit{rollback, "rollback " + Share.print(rollback)})
	}
	return limits
}

// quantile is the quantile of the latency criterion, from 0 to 1.
func (q Question) quantile() float64 {
	for _, criterion := range q.Criteria {
		if criterion.Kind == gate.KindLatency {
			return 1 - criterion.Target
		}
	}
	return 0.95
}

// query is the PromQL of one line.
func (q Question) query(unit Unit, metrics gate.Metrics, window time.Duration) (string, error) {
	requests, err := metrics.Select(metrics.RequestsTotal)
	if err != nil {
		return "", err
	}
	switch unit {
	case PerSecond:
		return promql.Sum(promql.Rate(requests, window)), nil
	case Share:
		failed, err := metrics.Failed()
		return promql.BadShare(failed, requests, window), err
	default:
		buckets, err := metrics.Select(metrics.DurationBucket)
		return promql.InSeconds(promql.Quantile(q.quantile(), buckets, window), metrics.DurationUnit), err
	}
}

// pointsOf are the points of an answer with one series. A value that is not finite is a gap.
func pointsOf(answer model.Matrix) []Point {
	var list []Point
	for _, series := range answer {
		for _, sample := range series.Values {
			if value := float64(sample.Value); !math.IsNaN(value) && !math.IsInf(value, 0) {
				list = append(list, Point{sample.Timestamp.Time().UTC(), value})
			}
		}
	}
	return list
}

// Marked is a copy of the section with the release's events.
func (s Section) Marked(entries []ledger.Entry, release string) Section {
	for _, mark := range marks(of(entries, release)) {
		if !mark.Time.Before(s.Start) && !mark.Time.After(s.End) {
			s.Marks = append(s.Marks, mark)
		}
	}
	return s
}

// print prints a value for people.
func (u Unit) print(value float64) string {
	switch u {
	case Share:
		return trim(100*value) + " %"
	case Seconds:
		if value < 1 {
			return trim(1000*value) + " ms"
		}
		return trim(value) + " s"
	default:
		return trim(value) + "/s"
	}
}

// trim prints up to three significant digits.
func trim(value float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 3, 64), 64)
	if err != nil {
		rounded = value
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// summary stands for a line in Markdown: its mean, its highest point and its last point.
func (p Panel) summary(list []Point) (mean, highest, last string) {
	if len(list) == 0 {
		return "-", "-", "-"
	}
	sum, top := 0.0, list[0].Value
	for _, point := range list {
		sum, top = sum+point.Value, math.Max(top, point.Value)
	}
	return p.Unit.print(sum / float64(len(list))), p.Unit.print(top), p.Unit.print(list[len(list)-1].Value)
}

// LastSoak is the time span of a release's last stage. The last result is false if that span is most of the release.
func LastSoak(entries []ledger.Entry, release string, end time.Time) (since, until time.Time, part bool) {
	history := of(entries, release)
	list := stages(history)
	if len(list) == 0 {
		return time.Time{}, time.Time{}, false
	}
	last := list[len(list)-1]
	until = last.Until
	if until.IsZero() {
		until = end
	}
	whole := end.Sub(history[0].Time)
	return last.Since, until, until.Sub(last.Since) < whole*4/5 && until.After(last.Since)
}
