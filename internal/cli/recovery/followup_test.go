package recovery

import (
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/gate"
)

func TestOneLine(t *testing.T) {
	text := oneLine(gate.Evaluation{Results: []gate.Result{{Name: "error rate", Verdict: gate.Pass,
		Reason: strings.Repeat("x", 500)}}})
	if !strings.HasPrefix(text, "pass; error rate: xxx") || len([]rune(text)) > 201 || strings.Contains(text, "\n") {
		t.Errorf("%d runes: %s", len([]rune(text)), text)
	}
}
