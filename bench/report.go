package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// goal is the largest allowed ratio of the medians.
const goal = 1.5

// report holds the measurements.
type report struct {
	Date    time.Time
	Machine measure.Machine
	// Production and Empty are previews of the two programs, the other two are builds. All have the same odd length.
	Production, Empty, ProductionBuild, EmptyBuild []time.Duration
}

// ratio returns the ratio of the previews' medians.
func (r report) ratio() float64 {
	return measure.Median(r.Production).Seconds() / measure.Median(r.Empty).Seconds()
}

// markdown returns the section of the document.
func (r report) markdown() string {
	var text strings.Builder
	text.WriteString(measure.Title("Preview of an unchanged stack", r.Date, r.Machine))
	text.WriteString(measure.Header)
	text.WriteString(measure.Row("`pulumi preview -s production`", r.Production))
	text.WriteString(measure.Row("`pulumi preview` of one ConfigMap", r.Empty))
	text.WriteString(measure.Row("`go build` of the first program", r.ProductionBuild))
	text.WriteString(measure.Row("`go build` of the second program", r.EmptyBuild))
	fmt.Fprintf(&text, "\nRatio of the previews' medians: **%.2f**. The goal of at most %.1f is %s.\n", r.ratio(), goal,
		measure.Met(r.ratio() <= goal))
	text.WriteString(measure.Disturbed(r.Machine))
	return text.String()
}
