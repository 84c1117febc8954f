package prcomment

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mostCompared is how many files GitHub lists of a comparison.
const mostCompared = 300

// Origin is where the previews of a commit come from, by GitHub's own word. A preview is written by the program and
// the workflow of the pull request, which can write another one than the true one.
type Origin struct {
	// Commit is what is judged, Author who pushed it.
	Commit, Author string
	// Changes are the files in which the commit differs from the base branch.
	Changes []ChangedFile
	// Approvals are those of the run that made the previews, Artifacts what it wrote.
	Approvals []Approval
	Artifacts []Artifact
}

// ChangedFile is a file that a pull request changes.
type ChangedFile struct {
	File     string `json:"filename"`
	Previous string `json:"previous_filename"`
	// Patch is the change as a diff; empty where GitHub shows none.
	Patch string `json:"patch"`
}

// Approval is a person's word that lets a run into environments.
type Approval struct {
	State string `json:"state"`
	User  struct {
		Login string `json:"login"`
	} `json:"user"`
	Environments []Environment `json:"environments"`
}

// Environment is one of the repository.
type Environment struct {
	Name string `json:"name"`
}

// Artifact is what a run wrote.
type Artifact struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Run    struct {
		Commit string `json:"head_sha"`
	} `json:"workflow_run"`
}

// The files of a folder that hold the answers of GitHub's API.
const (
	compareFile   = "compare.json"
	approvalsFile = "approvals.json"
	artifactsFile = "artifacts.json"
)

// ReadOrigin reads the answers of GitHub's API in a folder: a comparison with the base branch, and the approvals and
// the artifacts of the run.
func ReadOrigin(folder, commit, author string) (Origin, error) {
	origin := Origin{Commit: commit, Author: author}
	var compared struct {
		Files *[]ChangedFile `json:"files"`
	}
	var written struct {
		Artifacts []Artifact `json:"artifacts"`
	}
	for _, answer := range []struct {
		name string
		into any
	}{{compareFile, &compared}, {approvalsFile, &origin.Approvals}, {artifactsFile, &written}} {
		content, err := os.ReadFile(filepath.Join(folder, answer.name))
		if err != nil {
			return Origin{}, fmt.Errorf("read where the previews come from: %w", err)
		}
		if err := json.Unmarshal(content, answer.into); err != nil {
			return Origin{}, fmt.Errorf("%s is no answer of GitHub's: %w", answer.name, err)
		}
	}
	if compared.Files == nil {
		return Origin{}, fmt.Errorf("%s is no comparison: it lists no files", compareFile)
	}
	origin.Changes, origin.Artifacts = *compared.Files, written.Artifacts
	return origin, nil
}

// previewPrefix begins the names of artifacts and of environments, before the stack's name.
const previewPrefix = "preview-"

// Doubts say why a preview of the stack may be another one than the true one; none where it cannot be. What a pull
// request changes beyond documents and positions can write any preview. Then somebody else must have let this very run
// into the stack's environment.
func (o Origin) Doubts(stack string) []string {
	var doubts []string
	at := slices.IndexFunc(o.Artifacts, func(a Artifact) bool { return a.Name == previewPrefix+stack })
	if at < 0 {
		return []string{"the run has no artifact " + previewPrefix + stack}
	}
	if artifact := o.Artifacts[at]; artifact.Run.Commit != o.Commit {
		doubts = append(doubts, fmt.Sprintf("the artifact %s is of commit %s and not of %s", artifact.Name,
			artifact.Run.Commit, o.Commit))
	}
	if changed := o.canForge(); len(changed) > 0 && !o.isApproved() {
		doubts = append(doubts, fmt.Sprintf("the commit changes what makes the preview (%s), and nobody but %s has let this "+
			"run into an environment preview-…: a reviewer reads the change and approves the run", few(changed), o.Author))
	}
	return doubts
}

// Digest is that of the stack's artifact; empty where there is none.
func (o Origin) Digest(stack string) string {
	for _, artifact := range o.Artifacts {
		if artifact.Name == previewPrefix+stack {
			return artifact.Digest
		}
	}
	return ""
}

// position is a line of a stack's file that moves the rollout and can run nothing.
var position = regexp.MustCompile(
	`^[+-]  finance-rollout:(image|stableImage|release|week|canaryWeight): ["']?[A-Za-z0-9][\w./:@-]*["']?$`)

var stackFile = regexp.MustCompile(`^Pulumi\.[\w-]+\.yaml$`)

// canForge lists the changed files that can make another preview than the true one.
func (o Origin) canForge() []string {
	var list []string
	if len(o.Changes) >= mostCompared {
		list = append(list, fmt.Sprintf("%d files or more", mostCompared))
	}
	for _, change := range o.Changes {
		if !change.isHarmless() {
			list = append(list, change.File)
		}
	}
	return list
}

// isHarmless reports whether a change is one of documents, or of positions in a stack's file.
func (c ChangedFile) isHarmless() bool {
	isDocument := func(name string) bool { return name == "" || strings.HasSuffix(name, ".md") }
	if c.File != "" && isDocument(c.File) && isDocument(c.Previous) {
		return true
	}
	if !stackFile.MatchString(c.File) || c.Previous != "" || c.Patch == "" {
		return false
	}
	for line := range strings.Lines(c.Patch) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			if !position.MatchString(line) {
				return false
			}
		}
	}
	return true
}

// isApproved reports whether somebody other than the author let the run into the environment of a preview.
func (o Origin) isApproved() bool {
	return slices.ContainsFunc(o.Approvals, func(a Approval) bool {
		into := slices.ContainsFunc(a.Environments, func(e Environment) bool {
			return strings.HasPrefix(e.Name, previewPrefix)
		})
		return into && a.State == "approved" && a.User.Login != "" && a.User.Login != o.Author
	})
}

// few are the first of a list, with the number of the rest.
func few(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
