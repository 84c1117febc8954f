// Package version says which version of the program this is. A release sets it at the link, from the tag and the
// commit; another build has what Go noted of the checkout, if anything.
package version

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker; see build/internal/release.
var (
	version  string
	revision string
)

// Info identifies a build.
type Info struct {
	// Version is that of the release, "devel" for another build.
	Version string `json:"version"`
	// Revision is the commit, "unknown" where nobody noted it. Modified tells that the checkout had changes beside it.
	Revision string `json:"revision"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Get is the build that runs.
func Get() Info {
	var settings []debug.BuildSetting
	if build, ok := debug.ReadBuildInfo(); ok {
		settings = build.Settings
	}
	return of(version, revision, settings)
}

func of(version, revision string, settings []debug.BuildSetting) Info {
	info := Info{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	noted := ""
	for _, setting := range settings {
		switch setting.Key {
		case "vcs.revision":
			noted = setting.Value
		case "vcs.modified":
			info.Modified = setting.Value == "true" && revision == ""
		}
	}
	info.Version, info.Revision = cmp.Or(version, "devel"), cmp.Or(revision, noted, "unknown")
	return info
}

// String is the build in one line.
func (i Info) String() string {
	modified := ""
	if i.Modified {
		modified = " with changes"
	}
	return fmt.Sprintf("rollout %s, revision %s%s, %s, %s", i.Version, i.Revision, modified, i.Go, i.Platform)
}
