package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
)

func weightPolicies() []Policy {
	stages := Limit{Name: "stages", Description: "The weights in percent that a rollout stops at; 0 is always allowed.",
		Default: defaultStages()}
	return []Policy{
		{
			Name:        "weight-on-stage",
			Description: "The canary's weight is a stage of the rollout.",
			Limits:      []Limit{stages},
			Resource:    weightOnStage,
		},
		{
			Name:        "route-weights",
			Description: "The weights of a route over both tracks are percentages: they add up to 100.",
			Resource:    routeWeights,
		},
	}
}

func defaultStages() []float64 {
	var stages []float64
	for _, stage := range plan.DefaultStages() {
		stages = append(stages, float64(stage))
	}
	return stages
}

// record is the release record: the ConfigMap that tells which position passed its gates.
type record struct {
	Resource
	app    string
	weight float64
	// known tells that the weight is.
	known bool
}

// recordOf reads a release record. The second result is false for every other resource.
func recordOf(r Resource) (record, bool) {
	data := r.at("data")
	if r.kind() != "ConfigMap" || missing(at(data, "weight")) || missing(at(data, "canaryReplicas")) || !data.IsMap() {
		return record{}, false
	}
	rec := record{Resource: r, app: r.label(names.App)}
	rec.weight, rec.known = number(at(data, "weight"))
	return rec, true
}

func recordsOf(resources []Resource) []record {
	var records []record
	for _, r := range resources {
		if rec, ok := recordOf(r); ok {
			records = append(records, rec)
		}
	}
	return records
}

// isRoute reports whether a resource is a route of the Gateway API whose rules have backends with weights.
func isRoute(r Resource) bool { return r.kind() == "HTTPRoute" || r.kind() == "GRPCRoute" }

// backend is one target of a route.
type backend struct {
	name   string
	weight float64
	known  bool
}

// backends lists the targets of the first rule with several, which is how a route splits.
func backends(r Resource) []backend {
	for _, rule := range items(r.at("spec", "rules")) {
		var list []backend
		for _, ref := range items(at(rule, "backendRefs")) {
			one := backend{name: text(at(ref, "name")), weight: 1, known: true}
			if value := at(ref, "weight"); !missing(value) {
				one.weight, one.known = number(value)
			}
			list = append(list, one)
		}
		if len(list) > 1 {
			return list
		}
	}
	return nil
}

// canaryShare is what a route gives the canary, in percent.
func canaryShare(list []backend) (share, total float64, known bool) {
	var canary float64
	for _, one := range list {
		if !one.known {
			return 0, 0, false
		}
		total += one.weight
		if strings.HasSuffix(one.name, "-"+names.Canary) {
			canary += one.weight
		}
	}
	if total == 0 {
		return 0, 0, len(list) > 0
	}
	return 100 * canary / total, total, true
}

func weightOnStage(r Resource, limits Limits) []string {
	weight, known, where := 0.0, false, ""
	if rec, ok := recordOf(r); ok {
		weight, known, where = rec.weight, rec.known, "the release record"
	} else if isRoute(r) {
		weight, _, known = canaryShare(backends(r))
		where = "route " + r.name()
	}
	stages := limits.numbers("stages")
	if !known || weight == 0 || slices.ContainsFunc(stages,
		func(stage float64) bool { return math.Abs(stage-weight) < 1e-9 }) {
		return nil
	}
	return []string{fmt.Sprintf("%s gives the canary %v %%, which is no stage; choose one of %s by `pulumi config set "+
		"canaryWeight N`, "+
		"or set `stages` of weight-on-stage in the pack's configuration to those of the stack", where, weight,
		percents(stages))}
}

func percents(stages []float64) string {
	var list []string
	for _, stage := range append([]float64{0}, stages...) {
		list = append(list, fmt.Sprintf("%v", stage))
	}
	return strings.Join(list, ", ")
}

func routeWeights(r Resource, _ Limits) []string {
	if !isRoute(r) {
		return nil
	}
	list := backends(r)
	isTracks := slices.ContainsFunc(list, func(one backend) bool { return strings.HasSuffix(one.name, "-"+names.Canary) })
	_, total, known := canaryShare(list)
	if !isTracks || !known || total == 100 {
		return nil
	}
	return []string{fmt.Sprintf("the weights of route %s add up to %v, so that none of them is a percentage; make them "+
		"add up to 100", r.name(), total)}
}
