package toolchain

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vextrus/finance-rollout/build/progress"
)

// parallelBuilds is how many directories are built in at a time. Compiling fills the processors by itself; the second
// build uses the one that a linker, which has a single thread, leaves idle.
const parallelBuilds = 2

// Builder provides the tools of a table.
type Builder struct {
	Modules []Module
	// Source is the directory with the modules, Bin where the tools go, Plugins where Pulumi looks for plugins (which
	// it warns about when they are on PATH), LogDir where the output of builds goes.
	Source, Bin, Plugins, LogDir string
	Progress                     *progress.Reporter
}

// Provide makes the named tools available in Bin, all that are not optional when no name is given. It does nothing
// for those that are there and current.
func (b *Builder) Provide(ctx context.Context, wanted ...string) error {
	if len(wanted) == 0 {
		wanted = required(b.Modules)
	}
	for _, dir := range []string{b.Bin, b.stamps(), b.LogDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()

	pending, err := b.pending(ctx, wanted)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelBuilds)
	for start := 0; start < len(pending); {
		end := start + 1
		for end < len(pending) && pending[end].Dir == pending[start].Dir {
			end++
		}
		first, together := start+1, pending[start:end]
		group.Go(func() error { return b.buildAll(ctx, together, first, len(pending)) })
		start = end
	}
	return group.Wait()
}

// buildAll builds the modules of one directory one after another; first is the number of the first among all.
func (b *Builder) buildAll(ctx context.Context, modules []Module, first, all int) error {
	for i, module := range modules {
		title := fmt.Sprintf("build %d of %d: %s", first+i, all, strings.Join(module.toolNames(), ", "))
		err := b.Progress.Run(title, func(task *progress.Task) error { return b.build(ctx, module, task) })
		if err != nil {
			return err
		}
	}
	return nil
}

// pending returns the modules with those of their tools that have to be built. Fitting tools from PATH get linked.
func (b *Builder) pending(ctx context.Context, wanted []string) ([]Module, error) {
	var pending []Module
	known := map[string]bool{}
	for _, module := range b.Modules {
		stamp, err := b.stamp(module)
		if err != nil {
			return nil, err
		}
		var missing []Tool
		for _, tool := range module.Tools {
			known[tool.Name] = true
			if !slices.Contains(wanted, tool.Name) || b.current(tool, stamp) {
				continue
			}
			if path := tool.find(ctx, b.Bin); path != "" {
				if err := link(path, b.path(tool)); err != nil {
					return nil, err
				}
				continue
			}
			missing = append(missing, tool)
		}
		if len(missing) > 0 {
			module.Tools = missing
			pending = append(pending, module)
		}
	}
	for _, name := range wanted {
		if !known[name] {
			return nil, fmt.Errorf("unknown tool %q; known are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return pending, nil
}

// current reports whether the tool was built from the module as it is now.
func (b *Builder) current(tool Tool, stamp string) bool {
	info, err := os.Lstat(b.path(tool))
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	content, err := os.ReadFile(filepath.Join(b.stamps(), tool.Name))
	return err == nil && string(content) == stamp
}

// path returns where the tool goes.
func (b *Builder) path(tool Tool) string {
	if tool.Plugin != "" {
		return filepath.Join(b.Plugins, tool.Plugin, tool.Name)
	}
	return filepath.Join(b.Bin, tool.Name)
}

func (b *Builder) stamps() string {
	return filepath.Join(b.Bin, ".stamps")
}

// stamp identifies the source and the flags of a module's tools.
func (b *Builder) stamp(module Module) (string, error) {
	sum := sha256.New()
	patterns := []string{"go.mod", "go.sum", "*.go"}
	for _, tool := range module.Tools {
		if local, ok := strings.CutPrefix(tool.Package, "./"); ok {
			patterns = append(patterns, filepath.Join(local, "*.go"))
		}
	}
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(b.Source, module.Dir, pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			fmt.Fprintln(sum, filepath.Base(file), len(content))
			sum.Write(content)
		}
	}
	fmt.Fprintln(sum, module.buildArgs("", nil))
	if module.Embed != nil {
		fmt.Fprintln(sum, *module.Embed)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// buildArgs returns the arguments of go for building packages into the directory out.
func (m Module) buildArgs(out string, packages []string) []string {
	ldflags := "-s -w"
	for _, variable := range m.Variables {
		ldflags += " -X " + variable
	}
	args := append([]string{"build", "-v", "-buildvcs=false", "-ldflags", ldflags, "-o", out + "/"}, m.Flags...)
	return append(args, packages...)
}

func (m Module) toolNames() []string {
	var names []string
	for _, tool := range m.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// build builds all tools of a module with one command, which compiles shared packages once, and puts them in place.
func (b *Builder) build(ctx context.Context, module Module, task *progress.Task) error {
	stamp, err := b.stamp(module)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.Source, module.Dir)
	if module.Embed != nil {
		if err := module.Embed.copy(ctx, dir); err != nil {
			return fmt.Errorf("prepare %s: %w", module.name(), err)
		}
	}
	temp := filepath.Join(b.Bin, ".build-"+module.name())
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	var packages []string
	for _, tool := range module.Tools {
		packages = append(packages, tool.Package)
	}
	logPath := filepath.Join(b.LogDir, "build-"+module.name()+".log")
	if err := goBuild(ctx, dir, module.buildArgs(temp, packages), logPath, task); err != nil {
		return err
	}
	for _, tool := range module.Tools {
		if err := os.MkdirAll(filepath.Dir(b.path(tool)), 0o755); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(temp, tool.built(module.Dir)), b.path(tool)); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.stamps(), tool.Name), []byte(stamp), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// goBuild runs go with a copy of its output in the log, and shows how many packages it has compiled.
func goBuild(ctx context.Context, dir string, args []string, logPath string, task *progress.Task) error {
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := goCommand(ctx, dir, args...)
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go: %w", err)
	}
	compiled, fetched := 0, 0
	var last []string
	scanner := bufio.NewScanner(io.TeeReader(output, log))
	for scanner.Scan() {
		line := scanner.Text()
		if strings.HasPrefix(line, "go: downloading ") {
			fetched++
			task.Detail(fmt.Sprintf("%d modules fetched", fetched))
		} else {
			compiled++
			task.Detail(fmt.Sprintf("%d packages compiled", compiled))
		}
		last = append(last[max(0, len(last)-9):], line)
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("go %s in %s: %w; the end of %s:\n  %s", args[0], dir, err, logPath, strings.Join(last, "\n  "))
	}
	return nil
}

// CompilerMemory makes the compiler collect garbage less often, which saves a fifth of its time and takes more
// memory. The user's own value wins.
func CompilerMemory() string {
	if chosen := os.Getenv("GOGC"); chosen != "" {
		return "GOGC=" + chosen
	}
	return "GOGC=400"
}

// goCommand prepares a run of go that an interrupt ends with everything it started.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", CompilerMemory())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// ModuleDir returns where the module cache keeps a module that the tools module in dir depends on.
func ModuleDir(ctx context.Context, dir, module string) (string, error) {
	output, err := goCommand(ctx, dir, "mod", "download", "-json", module).Output()
	var answer struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(output, &answer); jsonErr != nil {
		return "", fmt.Errorf("find module %s: %w", module, errors.Join(err, jsonErr))
	}
	if answer.Error != "" {
		return "", fmt.Errorf("find module %s: %s", module, answer.Error)
	}
	return answer.Dir, nil
}

// copy writes the embedded files to generated/ below dir.
func (e Embed) copy(ctx context.Context, dir string) error {
	source, err := ModuleDir(ctx, dir, e.Module)
	if err != nil {
		return err
	}
	generated := filepath.Join(dir, e.Into, "generated")
	if err := os.MkdirAll(generated, 0o755); err != nil {
		return err
	}
	for _, file := range e.Files {
		content, err := os.ReadFile(filepath.Join(source, e.Dir, file))
		if err != nil {
			return err
		}
		if file == e.Versioned {
			if content, err = withVersion(content, e.Version); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		if err := os.WriteFile(filepath.Join(generated, file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// withVersion sets the top-level "version" of a JSON object.
func withVersion(content []byte, version string) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(content, &object); err != nil {
		return nil, err
	}
	value, err := json.Marshal(version)
	if err != nil {
		return nil, err
	}
	object["version"] = value
	return json.Marshal(object)
}

// lock keeps two builds in one checkout apart; it waits for the other and ends with the process.
func (b *Builder) lock() (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(b.Bin, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		b.Progress.Say("waiting for another build in %s", b.Bin)
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
			file.Close()
			return nil, err
		}
	}
	return func() { file.Close() }, nil
}
