// Package toolchain provides pinned programs: found on PATH in a fitting version, else built from a Go module that
// pins them. It knows how to build; the tables of what to build are local/internal/tools and build/tools.go.
package toolchain

import (
	"path"
	"regexp"
	"slices"
)

// Tool is one program.
type Tool struct {
	// Name is the program's file name.
	Name string
	// Package is built in the module's directory.
	Package string
	// Min (inclusive) and Below (exclusive) bound the versions that are accepted from PATH. A tool without them is
	// always built: it goes into an image, which needs a static program.
	Min, Below string
	// Probe are the arguments that make the tool print its version.
	Probe []string
	// Beside names a tool whose copy from PATH has this one next to it.
	Beside string
	// Plugin is the directory below ~/.pulumi/plugins that a released plugin is installed in.
	Plugin string
	// Optional tools are built only when they are asked for by name.
	Optional bool
}

// Module is a Go module with tools that are built from it in one go.
type Module struct {
	// Dir is the module's directory. Entries with the same one are built one after another, so that what they share is
	// compiled once; Name distinguishes them; it defaults to the directory's.
	Dir, Name string
	// Flags are further flags of go build.
	Flags []string
	// Variables are set at link time: import path, dot, name, equals sign, value.
	Variables []string
	// Embed copies files of another module to the module's directory before the build.
	Embed *Embed
	Tools []Tool
}

// Embed names JSON files of a module that a package embeds.
type Embed struct {
	// Module is the module's path, Dir the folder inside it, Files the files there. They are copied to generated/ in the
	// folder Into of the tools module.
	Module, Dir string
	Files       []string
	Into        string
	// Versioned is the one of them that gets Version as its top-level "version".
	Versioned, Version string
}

// With returns the module with variables set at link time.
func (m Module) With(variables ...string) Module {
	m.Variables = variables
	return m
}

// name is the name of the entry.
func (m Module) name() string {
	if m.Name != "" {
		return m.Name
	}
	return m.Dir
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// built returns the file name that go build gives to the tool: the last part of its package that is no major version,
// or the module directory's name for the package in it.
func (t Tool) built(module string) string {
	if t.Package == "." {
		return module
	}
	base := path.Base(t.Package)
	if majorVersion.MatchString(base) {
		base = path.Base(path.Dir(t.Package))
	}
	return base
}

// required returns the names of all tools that are not optional.
func required(modules []Module) []string {
	var all []string
	for _, module := range modules {
		for _, tool := range module.Tools {
			if !tool.Optional {
				all = append(all, tool.Name)
			}
		}
	}
	slices.Sort(all)
	return all
}
