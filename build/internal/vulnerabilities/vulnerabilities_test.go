package vulnerabilities

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const report = `{"config":{"scanner_name":"govulncheck"}}
{"osv":{"id":"GO-2026-0001"}}
{"finding":{"osv":"GO-2026-0002","fixed_version":"v1.2.4","trace":[{"module":"example.com/b","version":"v1.2.3","package":"example.com/b","function":"Parse"}]}}
{"finding":{"osv":"GO-2026-0002","trace":[{"module":"example.com/b","version":"v1.2.3","function":"ParseAll"}]}}
{"finding":{"osv":"GO-2026-0001","trace":[{"module":"stdlib","version":"v1.26.8","function":"Do"}]}}
{"finding":{"osv":"GO-2026-0003","trace":[{"module":"example.com/c","version":"v1.0.0","package":"example.com/c"}]}}
{"finding":{"osv":"GO-2026-0004","trace":[{"module":"example.com/d","version":"v1.0.0"}]}}`

func TestWhatIsCalledIsFound(t *testing.T) {
	ids, err := Read(strings.NewReader(report))
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{
		{ID: "GO-2026-0001", Module: "stdlib", Version: "v1.26.8"},
		{ID: "GO-2026-0002", Module: "example.com/b", Version: "v1.2.3", Fixed: "v1.2.4"},
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if _, err := Read(strings.NewReader("govulncheck: no database")); err == nil {
		t.Error("a report that is none is accepted")
	}
}

func TestJudge(t *testing.T) {
	ids, err := Read(strings.NewReader(report))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	say := func(text string) { said = append(said, text) }
	err = Judge(ids, []Accepted{{"GO-2026-0001", "waits for the next Go"}, {"GO-2025-0001", "old"}}, say)
	if err == nil || !strings.Contains(err.Error(), "GO-2026-0002 in example.com/b v1.2.3 (fixed in v1.2.4)") ||
		strings.Contains(err.Error(), "GO-2026-0001") {
		t.Errorf("error %v", err)
	}
	want := []string{"accepted: GO-2026-0001 in stdlib v1.26.8 (fixed in nothing yet): waits for the next Go",
		"not found here any more: GO-2025-0001"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if err := Judge(nil, nil, say); err != nil {
		t.Error(err)
	}
}

func TestAcceptedNeedsAReason(t *testing.T) {
	for document, ok := range map[string]bool{
		"accepted: [{id: GO-2026-0001, reason: not reached}]": true,
		"accepted: []":                         true,
		"accepted: [{id: GO-2026-0001}]":       false,
		"accepted: [{reason: why}]":            false,
		"acepted: []":                          false,
		"accepted: [{id: x, reason: why}]":     false,
		"accepted: [{id: GO-1, why: because}]": false,
	} {
		if _, err := ReadAccepted([]byte(document)); (err == nil) != ok {
			t.Errorf("%s: error %v", document, err)
		}
	}
}
