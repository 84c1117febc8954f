package prcomment

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const judged = "0123456789abcdef0123456789abcdef01234567"

// origin is that of a run whose commit changes the files, each with a patch.
func origin(changes ...ChangedFile) Origin {
	artifact := Artifact{Name: "preview-production", Digest: "sha256:aa"}
	artifact.Run.Commit = judged
	return Origin{Commit: judged, Author: "mallory", Changes: changes, Artifacts: []Artifact{artifact}}
}

func approvedBy(login, state, environment string) Approval {
	approval := Approval{State: state, Environments: []Environment{{environment}}}
	approval.User.Login = login
	return approval
}

// A pull request that changes what makes its preview can write any preview: it is not judged before somebody else has
// let this run through.
func TestAPreviewThatMayBeForged(t *testing.T) {
	stack := func(patch string) ChangedFile { return ChangedFile{File: "Pulumi.production.yaml", Patch: patch} }
	const header = "@@ -3,2 +3,2 @@ config:\n   finance-rollout:kubeconfig: /etc/x\n"
	for name, tt := range map[string]struct {
		change ChangedFile
		doubt  bool
	}{
		"another week":                  {stack(header + "-  finance-rollout:week: 1\n+  finance-rollout:week: 2\n"), false},
		"another image":                 {stack(header + "+  finance-rollout:image: \"shop@sha256:ab\"\r\n"), false},
		"a document":                    {ChangedFile{File: "docs/faq.md"}, false},
		"the program":                   {ChangedFile{File: "main.go", Patch: "+x"}, true},
		"the workflow":                  {ChangedFile{File: ".github/workflows/preview.yaml", Patch: "+x"}, true},
		"another workflow of that name": {ChangedFile{File: ".github/workflows/other.yaml", Patch: "+name: preview"}, true},
		"the project":                   {ChangedFile{File: "Pulumi.yaml", Patch: header}, true},
		"code that was renamed":         {ChangedFile{File: "main.md", Previous: "main.go"}, true},
		"a file of the stack elsewhere": {ChangedFile{File: "x/Pulumi.production.yaml", Patch: header}, true},
		"a login that runs a command":   {stack(header + "+        exec: {command: sh}\n"), true},
		"another smoke suite":           {stack(header + "+  finance-rollout:smoke: {suite: x.yaml}\n"), true},
		"another provider of secrets":   {stack("+secretsprovider: awskms://mine\n"), true},
		"a provider's own setting":      {stack(header + "+  kubernetes:kubeconfig: x\n"), true},
		"an expression":                 {stack(header + "+  finance-rollout:week: [1, &a 2]\n"), true},
		"too large to be shown":         {stack(""), true},
		"a file without a name":         {ChangedFile{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			doubts := origin(tt.change).Doubts("production")
			if (len(doubts) > 0) != tt.doubt {
				t.Errorf("doubts %q", doubts)
			}
			if tt.doubt && !strings.Contains(doubts[0], "nobody but mallory") {
				t.Errorf("doubts %q", doubts)
			}
		})
	}
	many := make([]ChangedFile, mostCompared)
	for i := range many {
		many[i].File = fmt.Sprintf("docs/%d.md", i)
	}
	if doubts := origin(many...).Doubts("production"); len(doubts) != 1 {
		t.Errorf("a comparison that GitHub cuts: %q", doubts)
	}
}

func TestWhoLetsARunThrough(t *testing.T) {
	for name, tt := range map[string]struct {
		approval Approval
		doubt    bool
	}{
		"a reviewer":             {approvedBy("anna", "approved", "preview-production"), false},
		"the author":             {approvedBy("mallory", "approved", "preview-production"), true},
		"a reviewer who refused": {approvedBy("anna", "rejected", "preview-production"), true},
		"for something else":     {approvedBy("anna", "approved", "docs"), true},
		"nobody":                 {approvedBy("", "approved", "preview-production"), true},
	} {
		from := origin(ChangedFile{File: "main.go"})
		from.Approvals = []Approval{tt.approval}
		if doubts := from.Doubts("production"); (len(doubts) > 0) != tt.doubt {
			t.Errorf("%s: doubts %q", name, doubts)
		}
	}
}

// What is judged is of the commit that gets the status.
func TestAPreviewOfAnotherCommit(t *testing.T) {
	from := origin()
	from.Artifacts[0].Run.Commit = "another"
	if doubts := strings.Join(from.Doubts("production"), ""); !strings.Contains(doubts, "is of commit another and not of "+
		judged) {
		t.Errorf("doubts %q", doubts)
	}
	if doubts := strings.Join(from.Doubts("staging"), ""); !strings.Contains(doubts, "no artifact preview-staging") {
		t.Errorf("doubts %q", doubts)
	}
	if origin().Digest("production") != "sha256:aa" || origin().Digest("staging") != "" {
		t.Error("the digest is not the artifact's")
	}
}

func TestADoubtIsARefusalAndStandsInTheComment(t *testing.T) {
	good := Stack{Name: "production", Preview: &Preview{Ended: true, Policies: 3}, Digest: "sha256:aa"}
	if good.IsRefused() {
		t.Fatal("a good preview is refused")
	}
	forged := good
	forged.Doubts = []string{"the commit changes `main.go`"}
	text := Comment(judged, []Stack{forged})
	if !forged.IsRefused() || !strings.Contains(text, "not judged, because the preview may be forged") ||
		!strings.Contains(text, "sha256:aa") || !strings.Contains(text, "the commit changes") {
		t.Errorf("refused %t:\n%s", forged.IsRefused(), text)
	}
	if text := Comment(judged, []Stack{good}); strings.Contains(text, "forged") || !strings.Contains(text, "sha256:aa") {
		t.Errorf("%s", text)
	}
}

func TestReadOrigin(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadOrigin(folder, judged, "mallory"); err == nil {
		t.Error("without answers: no error")
	}
	write(compareFile, `{"files":[{"filename":"main.go","previous_filename":"old.go","patch":"+x"}]}`)
	write(approvalsFile, `[{"state":"approved","user":{"login":"anna"},"environments":[{"name":"preview-production"}]}]`)
	write(artifactsFile, `{"artifacts":[{"name":"preview-production","digest":"sha256:aa","workflow_run":{"head_sha":"`+
		judged+`"}}]}`)
	read, err := ReadOrigin(folder, judged, "mallory")
	if err != nil {
		t.Fatal(err)
	}
	if doubts := read.Doubts("production"); len(doubts) != 0 || read.Changes[0].Previous != "old.go" {
		t.Errorf("%q, %+v", doubts, read)
	}
	for _, answer := range []string{`{"message":"Not Found"}`, `[]`, `{`} {
		write(compareFile, answer)
		if _, err := ReadOrigin(folder, judged, "mallory"); err == nil {
			t.Errorf("%s is taken for a comparison", answer)
		}
	}
}
