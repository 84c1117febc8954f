package program

import (
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
)

// `pulumi stack rename` changes the environment without a word about it, and with it the names of Secrets and labels.
func TestAnotherEnvironment(t *testing.T) {
	for name, tt := range map[string]struct {
		remembered, configured string
		// labelled is the environment by the namespace, of which the rollout made the labels unless foreign is set.
		labelled        string
		foreign, living bool
		words           []string
	}{
		"the first update":           {},
		"the same":                   {remembered: "production"},
		"the same by the namespace":  {labelled: "production"},
		"a label of somebody else's": {labelled: "eu", foreign: true},
		"the outputs know it better": {remembered: "production", labelled: "eu"},
		"a rename after a destroy": {labelled: "eu", words: []string{"was eu and would be production",
			"`pulumi config set environment eu -s production`"}},
		"kept after a rename": {remembered: "eu", configured: "eu", living: true},
		"changed on purpose":  {remembered: "production", configured: "eu"},
		"changed during a release": {remembered: "production", configured: "eu", living: true, words: []string{
			"from production to eu", "while week1 is on trial", "`pulumi config set environment production -s production`",
			"`rollout rollback -s production`"}},
		"a renamed stack": {remembered: "eu", words: []string{"was eu and would be production, the stack's name",
			"`pulumi config set environment eu -s production`", "`pulumi config set environment production -s production`"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.rememberedEnvironment = tt.remembered
			if tt.labelled != "" {
				w.Owner = &kube.Namespace{Annotations: map[string]string{names.Owner: project + "/production"},
					Labels: map[string]string{names.Environment: tt.labelled, names.ManagedBy: names.Program}}
				if tt.foreign {
					delete(w.Owner.Labels, names.ManagedBy)
				}
			}
			config := productionConfig()
			if tt.configured != "" {
				config["environment"] = tt.configured
			}
			if tt.living {
				w.note(t, stands("week1", 10))
			}
			err := w.run(t, "production", config)
			if (err != nil) != (len(tt.words) > 0) {
				t.Fatal(err)
			}
			for _, word := range tt.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not say %q: %v", word, err)
				}
			}
			delete(w.inputs, "pulumi:pulumi:Stack/"+project+"-production")
			if err != nil && len(w.inputs) > 0 {
				t.Error("something was registered all the same")
			}
		})
	}
}
