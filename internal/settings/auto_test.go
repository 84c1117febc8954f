package settings

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestWhoAdvances(t *testing.T) {
	for given, want := range map[string]Advance{
		"":                                     {Mode: AdvanceManual},
		"auto":                                 {Mode: AdvanceAuto},
		"\tmanual\n":                           {Mode: AdvanceManual},
		`{"mode":"auto"}`:                      {Mode: AdvanceAuto},
		`{"approval":[60,100]}`:                {Mode: AdvanceManual, Approval: []int{60, 100}},
		`{"approval":[100,0]}`:                 {Mode: AdvanceManual, Approval: []int{100, FinishApproval}},
		`{"mode":"auto","approval":["60"]}`:    {Mode: AdvanceAuto, Approval: []int{60}},
		`{"mode":"manual","approval":[10,10]}`: {Mode: AdvanceManual, Approval: []int{10, 10}},
	} {
		changes := []string{"advance", given}
		if given == "" {
			changes = nil
		}
		s, err := Load("production", production(changes...))
		if err != nil {
			t.Errorf("%q: %v", given, err)
			continue
		}
		if diff := cmp.Diff(want, s.Advance); diff != "" || s.IsAuto() != (want.Mode == AdvanceAuto) {
			t.Errorf("%q: %s", given, diff)
		}
	}
}

func TestWhoAdvancesIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		changes []string
		want    []string
	}{
		"a mistyped mode": {[]string{"advance", "automatic"}, []string{`config advance.mode is "automatic"`,
			"allowed are manual and auto", "pulumi config set advance auto -s production"}},
		"no mode":  {[]string{"advance", `{"mode":""}`}, []string{"config advance.mode", "manual and auto"}},
		"a switch": {[]string{"advance", "true"}, []string{`config advance.mode is "true"`, "manual and auto"}},
		"an unknown field": {[]string{"advance", `{"approvals":[60]}`},
			[]string{"config advance.approvals", "did you mean approval?"}},
		"no stage": {[]string{"advance", `{"approval":[10,50]}`}, []string{`config advance.approval[1] is "50"`,
			"no stage has this weight", "10, 30, 60, 100", "0 for the finish",
			"pulumi config set --path 'advance.approval[1]' 60 -s production"}},
		"a text for a list": {[]string{"advance", `{"approval":"60"}`}, []string{"config advance.approval", "list"}},
		"one track": {[]string{"strategy", "single", "advance", "auto"}, []string{"config advance", "no stages",
			"pulumi config rm advance -s production"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("production", production(tt.changes...))
			testkit.WantError(t, err, tt.want...)
		})
	}
}
