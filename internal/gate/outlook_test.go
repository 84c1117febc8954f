package gate

import (
	"strings"
	"testing"
	"time"
)

func TestOutlook(t *testing.T) {
	errors := ErrorRate(0.005, 0.01)
	before := errors.Outlook(0.001, 48*time.Hour)
	if before.Decides() || before.Needed != errors.RequestsAt(0) || before.Expected < 172 || before.Expected > 173 {
		t.Errorf("%+v", before)
	}
	if !errors.Outlook(1, 48*time.Hour).Decides() {
		t.Error("a request a second does not decide")
	}
	if (Outlook{Needed: Never, Expected: 1e9}).Decides() {
		t.Error("what nothing decides is decided")
	}
	judged := errors.Judge(Counts{N: 60}, nil)
	rest, ok := judged.Outlook(10*time.Hour, 48*time.Hour)
	if !ok || rest.Decides() || rest.Expected != 228 || rest.Needed != judged.More {
		t.Errorf("%+v, %t", rest, ok)
	}
	for _, word := range []string{"about 228 requests", "soak.duration", "stages", "target", "synthetic requests"} {
		if !strings.Contains(rest.String(), word) {
			t.Errorf("%q is not in %s", word, rest)
		}
	}
	for name, r := range map[string]Result{"decided": errors.Judge(Counts{N: 100000}, nil), "for a person": {
		Verdict: Inconclusive, More: Never}} {
		if _, ok := r.Outlook(10*time.Hour, 48*time.Hour); ok {
			t.Errorf("%s: an outlook", name)
		}
	}
	if _, ok := judged.Outlook(time.Minute, 48*time.Hour); ok {
		t.Error("a minute tells a rate")
	}
	if _, ok := judged.Outlook(48*time.Hour, 48*time.Hour); ok {
		t.Error("the end has an outlook")
	}
}
