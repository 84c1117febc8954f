package redact

import (
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/redact/corpus"
)

// goals are those of docs/benchmarks.md: the share of planted secrets that must be removed, and that of look-alikes
// that may be.
const (
	leastRecall     = 0.99
	mostFalseAlarms = 0.02
	// smallestCorpus is how many texts of each kind are needed for that.
	smallestCorpus = 200
)

func TestPlantedSecretsAreRemoved(t *testing.T) {
	texts, missed := corpus.Secrets(1), 0
	for _, planted := range texts {
		got := Text(planted.Text, nil)
		leaked := Kind(planted.Text) == ""
		for _, secret := range planted.Secrets {
			leaked = leaked || strings.Contains(got, secret)
		}
		if leaked {
			missed++
			t.Errorf("%q becomes %q; a policy sees %q", planted.Text, got, Kind(planted.Text))
		}
	}
	if recall := 1 - float64(missed)/float64(len(texts)); len(texts) < smallestCorpus || recall < leastRecall {
		t.Errorf("%.1f %% of %d planted secrets are removed", 100*recall, len(texts))
	}
}

func TestHarmlessTextsStay(t *testing.T) {
	texts, wrong := corpus.Harmless(2), 0
	for _, text := range texts {
		if got := Text(text, nil); got != text || Kind(text) != "" {
			wrong++
			t.Errorf("%q becomes %q; a policy sees %q", text, got, Kind(text))
		}
	}
	if alarms := float64(wrong) / float64(len(texts)); len(texts) < smallestCorpus || alarms > mostFalseAlarms {
		t.Errorf("%.1f %% of %d look-alikes are false alarms", 100*alarms, len(texts))
	}
}
