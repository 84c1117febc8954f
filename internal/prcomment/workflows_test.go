package prcomment

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const github = "../../.github/"

func workflow(t *testing.T, path string) (text string, document map[string]any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(content), document
}

func workflows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(github + "workflows/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d workflows, error %v", len(files), err)
	}
	return files
}

var (
	used   = regexp.MustCompile(`(?m)^\s*(?:- )?uses: (\S+)(.*)$`)
	pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
)

func TestActionsArePinnedByCommit(t *testing.T) {
	actions, err := filepath.Glob(github + "actions/*/action.yaml")
	if err != nil || len(actions) == 0 {
		t.Fatalf("%d actions, error %v", len(actions), err)
	}
	seen := 0
	for _, path := range append(workflows(t), actions...) {
		text, _ := workflow(t, path)
		for _, found := range used.FindAllStringSubmatch(text, -1) {
			seen++
			own := strings.HasPrefix(found[1], "./")
			if !own && (!pinned.MatchString(found[1]) || !strings.HasPrefix(found[2], " # v")) {
				t.Errorf("%s: %s%s is not pinned by a commit with its version behind", path, found[1], found[2])
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d uses of actions", seen)
	}
}

func TestWorkflowsAskForLittle(t *testing.T) {
	for _, path := range workflows(t) {
		text, document := workflow(t, path)
		if permissions, ok := document["permissions"].(map[string]any); !ok || len(permissions) > 0 {
			t.Errorf("%s: permissions that are not none for every job that names no others", path)
		}
		for name, job := range document["jobs"].(map[string]any) {
			fields := job.(map[string]any)
			if fields["permissions"] == nil || fields["timeout-minutes"] == nil {
				t.Errorf("%s: job %s names no permissions or no time limit", path, name)
			}
		}
		// It would run a fork's code with the credentials of the repository.
		if strings.Contains(text, "pull_request_target") {
			t.Errorf("%s runs on pull_request_target", path)
		}
		// A text from outside in a script is run as a part of it.
		for _, line := range strings.Split(text, "\n") {
			if strings.Contains(line, "${{") && (strings.Contains(line, "run:") || strings.Contains(line, "echo")) {
				t.Errorf("%s puts an expression into a script: %s", path, line)
			}
		}
	}
}

func TestOnlyTheCommentJobOfAPreviewMayWrite(t *testing.T) {
	text, document := workflow(t, github+"workflows/preview.yaml")
	for name, job := range document["jobs"].(map[string]any) {
		fields := job.(map[string]any)
		permissions, _ := fields["permissions"].(map[string]any)
		for scope, level := range permissions {
			writes := level == "write" && scope != "id-token"
			if writes && name != "comment" {
				t.Errorf("job %s may write %s", name, scope)
			}
		}
		if name == "comment" {
			if len(permissions) != 1 || permissions["pull-requests"] != "write" {
				t.Errorf("job comment has %v", permissions)
			}
			for _, step := range fields["steps"].([]any) {
				if uses, _ := step.(map[string]any)["uses"].(string); strings.Contains(uses, "checkout") ||
					strings.HasPrefix(uses, "./") {
					t.Errorf("job comment runs code of the repository: %s", uses)
				}
			}
		}
	}
	for _, word := range []string{Marker, "PULUMI_ENABLE_STREAMING_JSON_PREVIEW",
		"head.repo.full_name == github.repository", "--policy-pack base/policies"} {
		if !strings.Contains(text, word) {
			t.Errorf("the workflow does not hold %q", word)
		}
	}
}
