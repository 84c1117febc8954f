package advance

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

const (
	stable   = "sha256:00000000000000000000"
	onTrial  = "sha256:11111111111111111111"
	newImage = "sha256:22222222222222222222"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func evaluation(verdict gate.Verdict) gate.Evaluation {
	return gate.Evaluation{Results: []gate.Result{{Name: "error rate", Verdict: verdict,
		Reason: "12 of 3000 requests failed"}}}
}

// atTen is a rollout that soaked its two days at 10 % and asks for 30 %.
func atTen() Facts {
	return Facts{
		Now: now, Stages: plan.DefaultStages(),
		Standing: plan.Standing{Weight: 10, Canary: onTrial, Stable: stable},
		Target:   plan.Target{Weight: 30, Canary: onTrial, Stable: stable},
		Soak: &Soak{
			Plan:  plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour},
			Since: now.Add(-49 * time.Hour), Soaked: 49 * time.Hour, Evaluation: evaluation(gate.Pass),
		},
		Staging: Staging{Required: true, Stack: "staging", Verified: onTrial},
	}
}

func TestDecide(t *testing.T) {
	latch := &Latch{Entry: 17, When: now.Add(-time.Hour), Who: "guard", Reason: "33 % of 90 requests failed"}
	tests := []struct {
		name   string
		change func(*Facts)
		causes []Cause
		words  []string
		extend bool
		back   bool
	}{
		{name: "finish without what the canary alone has", change: func(f *Facts) {
			f.Standing = plan.Standing{Weight: 100, Canary: onTrial, Stable: stable, Configuration: "a",
				StableConfiguration: "s"}
			f.Target = plan.Target{Canary: onTrial, Stable: onTrial, Configuration: "a", StableConfiguration: "b"}
			f.OfFinish, f.Stack = "env.GENERATION removed", "production"
		}, causes: []Cause{CauseIllegal}, words: []string{"finishing with another configuration", "env.GENERATION removed",
			"pulumi config set --path env.NAME VALUE -s production", "pulumi config rm --path canary.env.NAME -s production"}},
		{name: "soaked and passed"},
		{name: "soak too short", change: func(f *Facts) { f.Soak.Soaked = 31 * time.Hour },
			causes: []Cause{CauseSoak}, words: []string{"31 h 0 min of 48 h 0 min", "10 %",
				"wait 17 h 0 min, then run `pulumi up` again",
				"2026-02-28T08:00:00Z"}},
		{name: "extended soak", change: func(f *Facts) { f.Soak.Extensions = 1 },
			causes: []Cause{CauseSoak}, words: []string{"49 h 0 min of 72 h 0 min"}},
		{name: "inconclusive at the end", change: func(f *Facts) { f.Soak.Evaluation = evaluation(gate.Inconclusive) },
			causes: []Cause{CauseCriteria}, words: []string{"12 of 3000"}, extend: true},
		{name: "inconclusive before the end", change: func(f *Facts) {
			f.Soak.Evaluation, f.Soak.Soaked = evaluation(gate.Inconclusive), time.Hour
		}, causes: []Cause{CauseSoak, CauseCriteria}},
		{name: "worse than stable", change: func(f *Facts) {
			f.Soak.Evaluation = evaluation(gate.Inconclusive)
			f.Soak.Evaluation.Results[0].Review = true
		}, causes: []Cause{CauseCriteria}, words: []string{"canaryWeight 0", "override.weight 30", "override.reason"},
			extend: true},
		{name: "no criterion at all", change: func(f *Facts) { f.Soak.Evaluation = gate.Evaluation{} },
			causes: []Cause{CauseCriteria}, words: []string{"no criterion"}, extend: true},
		{name: "Prometheus unreachable", change: func(f *Facts) { f.Soak.Evaluation = evaluation(gate.Error) },
			causes: []Cause{CauseBlind}},
		{name: "nobody looked", change: func(f *Facts) { f.Soak = nil }, causes: []Cause{CauseBlind}},
		{name: "failed", change: func(f *Facts) { f.Soak.Evaluation = evaluation(gate.Fail) },
			causes: []Cause{CauseFailed}, words: []string{"rollback limit"}, back: true},
		{name: "failed before its time", change: func(f *Facts) {
			f.Soak.Evaluation, f.Soak.Soaked = evaluation(gate.Fail), time.Minute
		}, causes: []Cause{CauseFailed}, back: true},
		{name: "two stages at once", change: func(f *Facts) { f.Target.Weight = 60 },
			causes: []Cause{CauseIllegal}, words: []string{"10 % -> 60 %", "up to 30 %"}},
		{name: "latched", change: func(f *Facts) { f.Standing.Weight, f.Target.Weight, f.Soak, f.Latch = 0, 10, nil, latch },
			causes: []Cause{CauseLatched}, words: []string{"by guard", "33 % of 90", "2026-03-02T08:00:00Z", "latch.release 17",
				"canaryWeight 0"}},
		{name: "latched and unchanged", change: func(f *Facts) { f.Target.Weight, f.Latch = 10, latch },
			causes: []Cause{CauseLatched}},
		{name: "a former stable image that is latched", change: func(f *Facts) {
			f.Standing.Weight, f.Target.Weight, f.Soak = 0, 0, nil
			f.Standing.Former, f.Target.Stable, f.StableLatch = []string{newImage}, newImage, latch
		}, causes: []Cause{CauseLatched}, words: []string{newImage + ", which stable is to run", "by guard",
			"keep the stable image " + stable, "latch.release 17"}},
		{name: "a latched stable image before the first update", change: func(f *Facts) {
			f.Standing = plan.Standing{}
			f.Target, f.Soak, f.StableLatch = plan.Target{Stable: newImage}, nil, latch
		}, causes: []Cause{CauseLatched}, words: []string{"an image that was not rolled back"}},
		{name: "the stable image stays, though it is latched", change: func(f *Facts) {
			f.Standing.Weight, f.Target.Weight, f.Soak, f.StableLatch = 0, 0, nil, latch
		}},
		{name: "latched, settled at 0", change: func(f *Facts) { f.Target.Weight, f.Latch = 0, latch }},
		{name: "not verified in staging", change: func(f *Facts) { f.Staging.Verified = newImage },
			causes: []Cause{CauseStaging}, words: []string{newImage, "pulumi up -s staging"}},
		{name: "nothing verified in staging", change: func(f *Facts) { f.Staging.Verified = "" },
			causes: []Cause{CauseStaging}},
		{name: "staging unreadable", change: func(f *Facts) { f.Staging.Err = errors.New("unknown stack") },
			causes: []Cause{CauseStaging}, words: []string{"unknown stack"}},
		{name: "staging not required", change: func(f *Facts) { f.Staging = Staging{} }},
		{name: "down needs no evidence", change: func(f *Facts) { f.Target.Weight, f.Staging.Verified, f.Soak = 0, "", nil }},
		{name: "staying needs no evidence", change: func(f *Facts) {
			f.Target.Weight, f.Soak.Soaked, f.Soak.Evaluation, f.Staging.Verified = 10, 0, evaluation(gate.Error), ""
		}},
		{name: "an interrupted shift needs no second soak", change: func(f *Facts) {
			f.Standing.Begun = &plan.Target{Weight: 30, Canary: onTrial, Stable: stable}
			f.Soak.Soaked = 0
		}},
		{name: "finish too early", change: func(f *Facts) {
			f.Standing.Weight, f.Target.Weight, f.Target.Stable, f.Soak.Soaked = 100, 0, onTrial, time.Hour
		}, causes: []Cause{CauseSoak}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts := atTen()
			if tt.change != nil {
				tt.change(&facts)
			}
			decision := Decide(facts)
			var causes []Cause
			for _, refusal := range decision.Refusals {
				causes = append(causes, refusal.Cause)
				if refusal.Reason == "" || refusal.Resolve == "" {
					t.Errorf("%s says too little: %+v", refusal.Cause, refusal)
				}
			}
			if !slices.Equal(causes, tt.causes) || decision.Allowed() != (len(tt.causes) == 0) {
				t.Fatalf("refused for %q, allowed %v; want %q", causes, decision.Allowed(), tt.causes)
			}
			if decision.Extend != tt.extend || decision.RollBack != tt.back {
				t.Errorf("extend %v, roll back %v", decision.Extend, decision.RollBack)
			}
			text := (&RefusedError{decision}).Error()
			for _, word := range tt.words {
				if !strings.Contains(text, word) {
					t.Errorf("the refusal does not name %q:\n%s", word, text)
				}
			}
		})
	}
}

func TestOverride(t *testing.T) {
	facts := atTen()
	facts.Soak.Soaked = time.Hour
	facts.Override = &Override{Weight: 30, Reason: "regulator's deadline"}
	if decision := Decide(facts); !decision.Allowed() || decision.Overridden == nil ||
		!strings.Contains(decision.String(), "regulator's deadline") {
		t.Errorf("the override does not count: %s", decision)
	}
	facts.Override.Weight = 60
	if Decide(facts).Allowed() {
		t.Error("an override for another weight counts")
	}
	facts.Override.Weight = 30
	facts.Latch = &Latch{Entry: 1}
	if Decide(facts).Allowed() {
		t.Error("an override releases the latch")
	}
	facts.Latch, facts.Soak.Evaluation = nil, evaluation(gate.Fail)
	if Decide(facts).Allowed() {
		t.Error("an override keeps a bad canary in traffic")
	}
	facts = atTen()
	facts.Override = &Override{Weight: 30, Reason: "not needed"}
	if Decide(facts).Overridden != nil {
		t.Error("an override is used where nothing is refused")
	}
}

func TestOnlyTimeAndTrafficAreCurable(t *testing.T) {
	for cause, want := range map[Cause]bool{
		CauseSoak: true, CauseCriteria: true, CauseBlind: true,
		CauseIllegal: false, CauseLatched: false, CauseStaging: false, CauseFailed: false,
	} {
		decision := Decision{Refusals: []Refusal{{Cause: CauseSoak}, {Cause: cause}}}
		if decision.Curable() != want {
			t.Errorf("%s: curable %v", cause, !want)
		}
	}
}

func TestALiveCanaryKeepsItsName(t *testing.T) {
	tests := []struct {
		name          string
		living, named string
		to            int
		refused       bool
	}{
		{name: "the same name", living: "v2", named: "v2", to: 30},
		{name: "no name", living: "v2", to: 30},
		{name: "nothing lives", named: "v3", to: 10},
		{name: "another name on the way down", living: "v2", named: "v3"},
		{name: "another name at the same weight", living: "v2", named: "v3", to: 10, refused: true},
		{name: "another name on the way up", living: "v2", named: "v3", to: 30, refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts := atTen()
			facts.Living, facts.Named, facts.Stack, facts.Target.Weight = tt.living, tt.named, "production", tt.to
			// No override lets a second canary in beside the first.
			facts.Override = &Override{Weight: tt.to, Reason: "in a hurry"}
			for by, decision := range map[string]Decision{"the gate": Decide(facts), "the name alone": Rename(facts)} {
				refused := slices.ContainsFunc(decision.Refusals, func(r Refusal) bool { return r.Cause == CauseRenamed })
				if refused != tt.refused || refused && decision.Allowed() {
					t.Errorf("%s: refused %t, allowed %t:\n%s", by, refused, decision.Allowed(), decision)
				}
				text := (&RefusedError{Decision: decision}).Error()
				for _, word := range []string{"v2 is on trial", "pulumi config set release v2 -s production",
					"pulumi config set canaryWeight 0 -s production", "up to 10 %"} {
					if tt.refused && !strings.Contains(text, word) {
						t.Errorf("%s does not say %q:\n%s", by, word, text)
					}
				}
			}
		})
	}
}

// Every command that a refusal names can be pasted: it names its stack.
func TestCommandsNameTheStack(t *testing.T) {
	latch := &Latch{Entry: 17, When: now, Who: "guard", Reason: "33 % of 90 requests failed"}
	for _, change := range []func(*Facts){
		func(f *Facts) { f.Latch = latch },
		func(f *Facts) { f.Target = plan.Target{Stable: onTrial}; f.StableLatch = latch },
		func(f *Facts) { f.Soak.Soaked = time.Hour },
		func(f *Facts) { f.Soak.Evaluation = evaluation(gate.Inconclusive) },
		func(f *Facts) { f.Soak.Evaluation = evaluation(gate.Error) },
		func(f *Facts) {
			f.Soak.Evaluation = evaluation(gate.Inconclusive)
			f.Soak.Evaluation.Results[0].Review = true
		},
		func(f *Facts) {
			f.Staging.Verified, f.Standing = "", plan.Standing{Stable: stable}
			f.Target.Weight = 10
		},
	} {
		facts := atTen()
		facts.Stack = "production"
		change(&facts)
		decision := Decide(facts)
		if len(decision.Refusals) == 0 {
			t.Errorf("%+v is allowed", facts)
		}
		for _, refusal := range decision.Refusals {
			commands := strings.Count(refusal.Resolve, "pulumi ")
			if commands == 0 || strings.Count(refusal.Resolve, " -s ") != commands {
				t.Errorf("%s: a command without a stack: %s", refusal.Cause, refusal.Resolve)
			}
		}
	}
}
