package forecast

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Need is what a criterion needs at a stage, and what the traffic gives.
type Need struct {
	Criterion string `json:"criterion"`
	// Clean is the number of requests that decide without any bad one, Usual at the service's own share, which is Share;
	// gate.Never if none does.
	Clean int64   `json:"clean"`
	Usual int64   `json:"usual"`
	Share float64 `json:"share"`
	// Soak and Extended are the expected requests of the canary in a soak, and in one with all extensions.
	Soak     float64 `json:"soak"`
	Extended float64 `json:"extended"`
	// Missing is how many requests the soak lacks without an extension.
	Missing int64 `json:"missing"`
	// BakeNeeds is the number of requests that the bake needs, Bake the expected ones of the longest bake in the busiest
	// hour of the week.
	BakeNeeds int64   `json:"bakeNeeds"`
	Bake      float64 `json:"bake"`
}

// needs are those of a stage, one for each criterion.
func (p Plan) needs(profile Profile, weight int) []Need {
	usual := profile.overall()
	part := float64(weight) / 100
	var list []Need
	for _, criterion := range p.criteria(profile) {
		need := Need{
			Criterion: criterion.Name, Share: share(criterion, usual), Clean: criterion.RequestsAt(0),
			Soak:      part * usual.Rate * p.Limits.Soak.Duration.Seconds(),
			Extended:  part * usual.Rate * p.longest().Seconds(),
			BakeNeeds: criterion.MinRequests, Bake: part * profile.busiest() * p.bakes().Seconds(),
		}
		need.Usual = gate.Never
		if need.Share < criterion.Target {
			need.Usual = criterion.RequestsAt(need.Share)
		}
		if p.Limits.Bake.Duration == 0 {
			need.BakeNeeds = 0
		}
		need.Missing = max(need.Usual, need.Clean) - int64(need.Soak)
		if need.Missing < 0 {
			need.Missing = 0
		}
		list = append(list, need)
	}
	return list
}

// Problem is a gate that cannot decide at this traffic.
type Problem struct {
	Weight    int    `json:"weight"`
	Gate      string `json:"gate"`
	Criterion string `json:"criterion"`
	Reason    string `json:"reason"`
	// Remedies are what would help, with commands.
	Remedies []string `json:"remedies"`
}

// UndecidedError says that the release cannot be decided at this traffic. It is known before the start.
type UndecidedError struct{ Problems []Problem }

// Error lists the problems with what would help.
func (e *UndecidedError) Error() string {
	var text strings.Builder
	text.WriteString("the release cannot be decided at this traffic:")
	for _, problem := range e.Problems {
		fmt.Fprintf(&text, "\n  %s at %d %%, %s: %s", problem.Gate, problem.Weight, problem.Criterion, problem.Reason)
	}
	text.WriteString("\neach of these would help:")
	var seen = map[string]bool{}
	for _, problem := range e.Problems {
		for _, remedy := range problem.Remedies {
			if !seen[remedy] {
				seen[remedy] = true
				text.WriteString("\n  " + remedy)
			}
		}
	}
	return text.String()
}

// Decidable returns an *UndecidedError if a stage's expected requests cannot decide it. A stage that lacks requests
// is named once for each gate and criterion: with the least weight it lacks most.
func Decidable(profile Profile, p Plan) error {
	var problems []Problem
	known := map[[2]string]bool{}
	add := func(problem *Problem) {
		if problem == nil || known[[2]string{problem.Gate, problem.Criterion}] {
			return
		}
		known[[2]string{problem.Gate, problem.Criterion}] = true
		problems = append(problems, *problem)
	}
	criteria := p.criteria(profile)
	for _, weight := range p.Stages {
		for i, need := range p.needs(profile, weight) {
			if i == 0 || need.BakeNeeds > p.Limits.Criteria[0].MinRequests {
				add(p.lackingBake(profile, weight, need))
			}
			add(p.lackingSoak(profile, weight, criteria[i], need))
		}
	}
	if len(problems) > 0 {
		return &UndecidedError{problems}
	}
	return nil
}

// leastBake is the least number of requests that is proposed for a bake: fewer would show next to nothing.
const leastBake = 30

// lackingBake is the problem of a bake with too few requests.
func (p Plan) lackingBake(profile Profile, weight int, need Need) *Problem {
	if need.Bake >= float64(need.BakeNeeds) {
		return nil
	}
	problem := &Problem{Weight: weight, Gate: "bake", Criterion: need.Criterion,
		Reason: fmt.Sprintf("about %s requests in the longest bake of %s in the busiest hour of the week, and %d are "+
			"needed", digits(need.Bake), length(p.bakes()), need.BakeNeeds)}
	perSecond := profile.busiest() * float64(weight) / 100
	if longer := time.Duration(float64(p.Limits.Bake.Duration) * float64(need.BakeNeeds) / need.Bake); perSecond > 0 {
		if longer = roundUp(longer, time.Minute); longer <= 24*time.Hour {
			problem.Remedies = append(problem.Remedies, "a longer bake: "+p.set("bake.duration", short(longer)))
		}
	}
	if fewer := int64(need.Bake); fewer >= leastBake {
		problem.Remedies = append(problem.Remedies, "a weaker bake: "+p.set("bake.minRequests", fmt.Sprint(fewer)))
	}
	problem.Remedies = append(problem.Remedies, p.fewerStages(weight, float64(need.BakeNeeds)/need.Bake)...)
	problem.Remedies = append(problem.Remedies, synthetic(weight, float64(need.BakeNeeds)-need.Bake, p.bakes()))
	return problem
}

// lackingSoak is the problem of a soak with too few requests, or with a share too near the target.
func (p Plan) lackingSoak(profile Profile, weight int, criterion gate.Criterion, need Need) *Problem {
	needed, where := need.Clean, "without any bad one"
	if need.Extended >= float64(need.Clean) {
		needed, where = need.Usual, fmt.Sprintf("at the service's own share of %s", percent(need.Share))
	}
	problem := &Problem{Weight: weight, Gate: "soak", Criterion: need.Criterion}
	target := p.target(criterion, where, need)
	switch {
	case needed == gate.Never:
		problem.Reason = fmt.Sprintf("%s of the service's requests are bad already: no number of requests proves that to be "+
			"below the target of %s", percent(need.Share), percent(criterion.Target))
		problem.Remedies = target
		return problem
	case need.Extended >= float64(needed):
		return nil
	}
	problem.Reason = fmt.Sprintf("about %s requests in %s with %d extensions of %s, and %d decide %s",
		digits(need.Extended), length(p.Limits.Soak.Duration), p.Extensions, length(p.Limits.Soak.Extension), needed, where)
	rate := profile.overall().Rate * float64(weight) / 100
	longer := roundUp(time.Duration(min(float64(needed)/rate, 1e9)*float64(time.Second)), time.Hour)
	problem.Remedies = p.fewerStages(weight, float64(needed)/need.Extended)
	if longer <= 90*day {
		problem.Remedies = append(problem.Remedies, "a longer soak: "+p.set("soak.duration", short(longer)))
	}
	problem.Remedies = append(problem.Remedies, target...)
	problem.Remedies = append(problem.Remedies, synthetic(weight, float64(needed)-need.Extended, p.longest()))
	return problem
}

// target is the remedy of a higher target, up to the rollback limit.
func (p Plan) target(criterion gate.Criterion, where string, need Need) []string {
	share, key := 0.0, "criteria.errorRate"
	if criterion.Kind == gate.KindLatency {
		key = "criteria.slowShare"
	}
	if !strings.HasPrefix(where, "without") {
		share = need.Share
	}
	most := criterion.Rollback
	if criterion.Kind == gate.KindLatency {
		most = 0.5
	}
	for _, factor := range []float64{1.2, 1.5, 2, 3, 4, 5, 7, 10} {
		criterion := criterion
		criterion.Target = round(criterion.Target*factor, 2)
		if criterion.Target > most || criterion.Validate() != nil {
			return nil
		}
		if share >= criterion.Target {
			continue
		}
		if needed := criterion.RequestsAt(share); needed != gate.Never && float64(needed) <= need.Extended {
			return []string{"another target: " + p.set(key, fmt.Sprint(criterion.Target))}
		}
	}
	return nil
}

// fewerStages is the remedy to leave out the stages that lack requests, where the canary needs factor times as many.
func (p Plan) fewerStages(weight int, factor float64) []string {
	least := float64(weight) * factor
	for i, stage := range p.Stages {
		if float64(stage) >= least {
			return []string{"fewer stages: " + p.setStages(p.Stages[i:])}
		}
	}
	return nil
}

// synthetic is the remedy of synthetic requests to the whole service.
func synthetic(weight int, missing float64, within time.Duration) string {
	rate := missing / within.Seconds() * 100 / float64(weight)
	return fmt.Sprintf("synthetic traffic: %s requests/s more to the service, of which the canary gets its %d %%",
		digits(math.Ceil(rate*1000)/1000), weight)
}

// set is the command that changes a setting of the stack.
func (p Plan) set(path, value string) string {
	return fmt.Sprintf("pulumi config set --path %s %s%s", path, value, p.on())
}

func (p Plan) setStages(stages []int) string {
	var words []string
	for _, stage := range stages {
		words = append(words, fmt.Sprint(stage))
	}
	return fmt.Sprintf("pulumi config set stages '[%s]'%s", strings.Join(words, ","), p.on())
}

func (p Plan) on() string {
	if p.Stack == "" {
		return ""
	}
	return " -s " + p.Stack
}

func roundUp(d, unit time.Duration) time.Duration { return (d + unit - 1) / unit * unit }
