package program

import (
	"slices"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
)

func TestObjectsOfOthersAreNotOverwritten(t *testing.T) {
	for name, tt := range map[string]struct {
		stack    string
		change   map[string]string
		foreign  []string
		selector map[string]string
		marks    map[string]string
		words    []string
	}{
		"nothing is there": {},
		"another name":     {foreign: []string{"finance-service"}},
		"the stable track": {foreign: []string{"finance-service-stable"},
			words: []string{"deployment vextrus-production/finance-service-stable exists", "rollout adopt -s production"}},
		"the canary": {foreign: []string{"finance-service-week1"}, words: []string{"finance-service-week1",
			"pulumi config set release NAME -s production"}},
		"the only track": {stack: "staging", foreign: []string{"finance-service"},
			words: []string{"serviceName NAME -s staging"}},
		"a Service": {selector: map[string]string{"app": "finance-service"}},
		"a Service of Helm": {selector: map[string]string{"app": "x"},
			marks: map[string]string{"meta.helm.sh/release-name": "finance"}, words: []string{"Helm release finance",
				"helm.sh/resource-policy=keep", "rollout adopt --plan -s production"}},
		"a Service of Helm that is taken over": {
			selector: map[string]string{"app": "finance-service", "traffic": "enabled"},
			marks:    map[string]string{"meta.helm.sh/release-name": "finance"},
		},
		"a Service of Argo CD": {selector: map[string]string{"app": "x"},
			marks: map[string]string{"argocd.argoproj.io/tracking-id": "shop:/Service:a/b"},
			words: []string{"Argo CD application shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.stack == "" {
				tt.stack = "production"
			}
			config := productionConfig()
			config["canaryWeight"] = "10"
			if tt.stack == "staging" {
				config = map[string]string{"strategy": "single", "image": "vextrus/finance:v2", "namespace": "vextrus-staging",
					"secrets": config["secrets"], "prometheus": config["prometheus"]}
			}
			w := newWorld()
			w.Owner = &kube.Namespace{Annotations: map[string]string{names.Owner: project + "/" + tt.stack}}
			w.Foreign, w.Selector, w.ServiceMarks = tt.foreign, tt.selector, tt.marks
			err := w.run(t, tt.stack, config)
			if (err != nil) != (len(tt.words) > 0) {
				t.Fatal(err)
			}
			for _, word := range tt.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not say %q: %v", word, err)
				}
			}
			if err != nil && len(w.inputs) > 0 {
				t.Error("something was registered all the same")
			}
		})
	}
}

func TestTheServiceIsMadeAfterThePodsAreReady(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	config["canaryWeight"] = "10"
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	hooks := w.hooks["kubernetes:core/v1:Service/traffic"].GetBeforeCreate()
	if !slices.Equal(hooks, []string{"advance", "takeover"}) {
		t.Errorf("the Service is made after %v", hooks)
	}
}
