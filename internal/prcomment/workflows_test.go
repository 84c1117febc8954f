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
		for _, match := range used.FindAllStringSubmatch(text, -1) {
			seen++
			local := strings.HasPrefix(match[1], "./")
			if !local && (!pinned.MatchString(match[1]) || !strings.HasPrefix(match[2], " # v")) {
				t.Errorf("%s: %s%s is not pinned by a commit with its version behind", path, match[1], match[2])
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

// The job that runs a pull request's program writes nothing but an artifact; the job that writes runs the default
// branch.
func TestWhatRunsAPullRequestWritesNothing(t *testing.T) {
	text, document := workflow(t, github+"workflows/preview.yaml")
	for name, job := range document["jobs"].(map[string]any) {
		permissions, _ := job.(map[string]any)["permissions"].(map[string]any)
		for scope, level := range permissions {
			if level == "write" && scope != "id-token" {
				t.Errorf("job %s of a pull request may write %s", name, scope)
			}
		}
	}
	for _, word := range []string{"PULUMI_ENABLE_STREAMING_JSON_PREVIEW", "environment: preview-${{ matrix.stack }}",
		"head.repo.full_name == github.repository", "--policy-pack base/policies"} {
		if !strings.Contains(text, word) {
			t.Errorf("the workflow preview does not hold %q", word)
		}
	}
	text, document = workflow(t, github+"workflows/judge.yaml")
	for _, word := range []string{Marker, "workflow_run:", "workflows: [preview]",
		"head_repository.full_name == github.repository", "--judge"} {
		if !strings.Contains(text, word) {
			t.Errorf("the workflow judge does not hold %q", word)
		}
	}
	for _, step := range document["jobs"].(map[string]any)["judge"].(map[string]any)["steps"].([]any) {
		with, _ := step.(map[string]any)["with"].(map[string]any)
		uses, _ := step.(map[string]any)["uses"].(string)
		if strings.Contains(uses, "checkout") && (with["ref"] != nil || with["repository"] != nil) {
			t.Errorf("the judge runs other code than the default branch's: %v", with)
		}
	}
	for _, word := range []string{"secrets.", "id-token", "contents: write"} {
		if strings.Contains(text, word) {
			t.Errorf("the judge holds %q", word)
		}
	}
}

// A rollback waits for nothing, comes before the stack's lock, and is not undone by the next merge.
func TestARollbackWaitsForNoDeployment(t *testing.T) {
	groups := map[string][]string{}
	for _, path := range workflows(t) {
		_, document := workflow(t, path)
		for name, job := range document["jobs"].(map[string]any) {
			group := job.(map[string]any)["concurrency"]
			if fields, ok := group.(map[string]any); ok {
				group = fields["group"]
			}
			if text, ok := group.(string); ok {
				groups[text] = append(groups[text], filepath.Base(path)+" "+name)
			}
		}
	}
	if got := groups["production-rollback"]; len(got) != 1 {
		t.Errorf("the group of the rollback has the jobs %q", got)
	}
	text, _ := workflow(t, github+"workflows/rollback.yaml")
	out, commit := strings.Index(text, "rollback --stack production --yes"), strings.Index(text, "commit-weight 0")
	if out < 0 || commit < out || strings.Contains(text, "pulumi up") {
		t.Error("the rollback does not begin with the canary")
	}
}

// No workflow pushes with the token that every job has: main stays protected from it.
func TestPushesUseTheDeployKey(t *testing.T) {
	for _, path := range workflows(t) {
		text, _ := workflow(t, path)
		// A schedule judges anew in an hour, on the main that won the race; nothing else comes back by itself.
		pushes := strings.Contains(text, "git push")
		if pushes && !strings.Contains(text, "  schedule:\n") {
			t.Errorf("%s pushes by itself: use .github/scripts/commit-weight", path)
		}
		hasKey := strings.Contains(text, "ssh-key: ${{ secrets.DEPLOY_KEY }}")
		if (pushes || strings.Contains(text, "commit-weight")) && (!hasKey ||
			strings.Contains(text, "contents: write")) {
			t.Errorf("%s pushes with the token of the workflow", path)
		}
	}
}

// What judges and deploys has owners.
func TestWhatJudgesHasOwners(t *testing.T) {
	text, err := os.ReadFile(github + "CODEOWNERS")
	if err != nil {
		t.Fatal(err)
	}
	owned := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && !strings.HasPrefix(line, "#") {
			owned[fields[0]] = true
			if path := strings.Trim(fields[0], "/"); strings.HasPrefix(fields[0], "/") && !strings.Contains(path, "*") {
				if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
					t.Errorf("%s is owned and does not exist", fields[0])
				}
			}
		}
	}
	for _, path := range []string{"/.github/", "/policies/", "/internal/policy/", "Pulumi.yaml", "Pulumi.*.yaml"} {
		if !owned[path] {
			t.Errorf("%s has no owner", path)
		}
	}
}
