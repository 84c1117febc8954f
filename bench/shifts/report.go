package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

const (
	// mostExtra is how much longer a shift may take than kubectl and an unchanged update together.
	mostExtra = 2 * time.Second
	// mostOff is the largest allowed difference between share and weight in gateway mode.
	mostOff = 0.01
	// mostDeviations is the largest allowed difference between share and weight in replicas mode, in standard errors of
	// the sample: by chance one sample in 370 exceeds it.
	mostDeviations = 3
)

// updatesReport holds the durations of updates. All lists have the same odd length.
type updatesReport struct {
	Mode    string
	Date    time.Time
	Machine measure.Machine
	// Shift holds updates from 10 to 30 % without a bake, Baked those with a bake. Kubectl scales the same pods, Unchanged
	// changes nothing.
	Shift, Baked, Kubectl, Unchanged []time.Duration
	Bake                             time.Duration
}

// extra is how much longer a shift takes than kubectl and an unchanged update together.
func (r updatesReport) extra() time.Duration {
	return measure.Median(r.Shift) - measure.Median(r.Kubectl) - measure.Median(r.Unchanged)
}

func (r updatesReport) markdown() string {
	var text strings.Builder
	text.WriteString(measure.Title("A shift from 10 to 30 %, traffic by "+r.Mode, r.Date, r.Machine))
	text.WriteString("The four were run in turn. The smoke suite is part of both updates that shift, the bake of one.\n\n")
	text.WriteString(measure.Header)
	text.WriteString(measure.Row("`pulumi up`, `bake.duration` 0s", r.Shift))
	text.WriteString(measure.Row("`kubectl scale` and `kubectl rollout status` of both Deployments", r.Kubectl))
	text.WriteString(measure.Row("`pulumi up`, unchanged", r.Unchanged))
	text.WriteString(measure.Row(fmt.Sprintf("`pulumi up`, `bake.duration` %s", r.Bake), r.Baked))
	fmt.Fprintf(&text, "\nWithout a bake the update takes **%.2f s** more than kubectl and an unchanged update "+
		"together (medians). "+
		"The goal of at most %.0f s is %s.\nThe bake of %s adds %.2f s.\n",
		r.extra().Seconds(), mostExtra.Seconds(), measure.Met(r.extra() <= mostExtra), r.Bake,
		(measure.Median(r.Baked) - measure.Median(r.Shift)).Seconds())
	text.WriteString(measure.Disturbed(r.Machine))
	return text.String()
}

// oneRun is one run through all stages.
type oneRun struct {
	Requests, Failed int
	// Why is the error of the last failed request.
	Why string
}

// share holds the counts at a weight, in percent.
type share struct{ Weight, Requests, Canary int }

// got returns the canary's share of the requests.
func (s share) got() float64 { return float64(s.Canary) / float64(s.Requests) }

// off returns the difference between share and weight.
func (s share) off() float64 { return s.got() - float64(s.Weight)/100 }

// deviation returns the standard error of the share for that many independent requests.
func (s share) deviation() float64 {
	weight := float64(s.Weight) / 100
	return math.Sqrt(weight * (1 - weight) / float64(s.Requests))
}

// z returns the difference in standard errors. At 100 % the standard error is 0, and any difference is infinite.
func (s share) z() float64 {
	if s.off() == 0 {
		return 0
	}
	return s.off() / s.deviation()
}

// stagesReport holds the outcome of the requests.
type stagesReport struct {
	Date      time.Time
	Machine   measure.Machine
	Mode      string
	PerSecond int
	Runs      []oneRun
	Shares    []share
}

func (r stagesReport) markdown() string {
	var text strings.Builder
	text.WriteString(measure.Title(fmt.Sprintf("Shifts under load, traffic by %s", r.Mode), r.Date, r.Machine))
	fmt.Fprintf(&text, "%d requests a second, each on a new connection, while `pulumi up` shifts 10 -> 30 -> 60 "+
		"-> 100 -> 0 %%.\n\n", r.PerSecond)
	text.WriteString("| run | requests | failed |\n|---|---|---|\n")
	failed, why := 0, ""
	for i, one := range r.Runs {
		fmt.Fprintf(&text, "| %d | %d | %d |\n", i+1, one.Requests, one.Failed)
		if failed += one.Failed; one.Why != "" {
			why = ", the last one with: " + one.Why
		}
	}
	fmt.Fprintf(&text, "\n**%d** requests failed%s. The goal of 0 is %s.\n\n", failed, why, measure.Met(failed == 0))
	text.WriteString("| weight | requests counted | at the canary | share | off by | standard error | z " +
		"|\n|---|---|---|---|---|---|---|\n")
	met := true
	for _, s := range r.Shares {
		fmt.Fprintf(&text, "| %d %% | %d | %d | %.2f %% | %+.2f points | %.2f points | %+.1f |\n",
			s.Weight, s.Requests, s.Canary, 100*s.got(), 100*s.off(), 100*s.deviation(), s.z())
		if r.Mode == modeGateway {
			met = met && math.Abs(s.off()) <= mostOff
		} else {
			met = met && math.Abs(s.z()) <= mostDeviations
		}
	}
	goal := fmt.Sprintf("within the sampling error, %d standard errors at most,", mostDeviations)
	if r.Mode == modeGateway {
		goal = fmt.Sprintf("within %.0f point", 100*mostOff)
	}
	fmt.Fprintf(&text, "\nCounted while the weight stands still. The goal of a share %s is %s.\n", goal, measure.Met(met))
	text.WriteString(measure.Disturbed(r.Machine))
	return text.String()
}
