package program

import (
	"errors"
	"io/fs"
	"testing"
)

func TestCommandsNameTheNamespaceOfTheConfiguration(t *testing.T) {
	payments := scope{name: "payments", config: "payments"}
	for text, want := range map[string]string{
		"`pulumi config set image IMAGE -s production`":      "`pulumi config set payments:image IMAGE -s production`",
		"`pulumi config rm --path build.args.A -s staging`":  "`pulumi config rm --path payments:build.args.A -s staging`",
		"`pulumi config set --secret --path secrets.a.b`":    "`pulumi config set --secret --path payments:secrets.a.b`",
		"pulumi config set --path 'pod.a[\"x\"]' 1":          "pulumi config set --path 'payments:pod.a[\"x\"]' 1",
		"pulumi config set week 1 && pulumi up":              "pulumi config set payments:week 1 && pulumi up",
		"pulumi config rm a && pulumi config set b c":        "pulumi config rm payments:a && pulumi config set payments:b c",
		"`pulumi up -s production`, then look at the config": "`pulumi up -s production`, then look at the config",
	} {
		if got := payments.commands(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		if got := (scope{}).commands(text); got != text {
			t.Errorf("the only rollout of a stack: %s became %s", text, got)
		}
	}
	err := payments.explain(fs.ErrNotExist)
	if !errors.Is(err, fs.ErrNotExist) || payments.explain(nil) != nil {
		t.Errorf("%v is another error", err)
	}
}

func TestNamesOfRolloutsDiffer(t *testing.T) {
	only, payments := scope{}, scope{name: "payments"}
	if only.resource("stable") != "stable" || only.output("weight") != "weight" {
		t.Error("the only rollout of a stack changes its names")
	}
	if payments.resource("stable") != "payments-stable" || payments.output("weight") != "payments.weight" {
		t.Errorf("%s, %s", payments.resource("stable"), payments.output("weight"))
	}
}
