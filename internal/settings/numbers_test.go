package settings

import (
	"strings"
	"testing"
)

func TestFractionsMayBeTexts(t *testing.T) {
	s, err := Load("production", production(
		"criteria",
		`{"errorRate":"0.004","rollbackErrorRate":"2e-2","own":[{"name":"csat","query":"vector(<1)","limit":"4.5","direction":"above"}]}`,
		"bake", `{"confidence":"0.9"}`, "env", `{"RATIO":"0.5"}`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Criteria.ErrorRate != 0.004 || s.Criteria.RollbackErrorRate != 0.02 || s.Bake.Confidence != 0.9 ||
		s.Env["RATIO"] != "0.5" {
		t.Errorf("criteria %+v, bake %+v, env %v", s.Criteria, s.Bake, s.Env)
	}
	if len(s.Criteria.Own) != 1 || s.Criteria.Own[0].Limit != 4.5 || s.Criteria.Own[0].Query != "vector(<1)" {
		t.Errorf("own criteria %+v", s.Criteria.Own)
	}
	for _, wrong := range []string{`"NaN"`, `"Inf"`, `"0x1p-4"`, `"a half"`, `""`, `" 0.5"`, `true`, `"1_0"`} {
		if _, err := Load("production", production("criteria", `{"errorRate":`+wrong+`}`)); err == nil ||
			!strings.Contains(err.Error(), "errorRate") {
			t.Errorf("errorRate %s: %v", wrong, err)
		}
	}
}
