// Package process starts, finds and ends background processes that outlive the command that started them. Each is
// known by a record that the process itself writes before it becomes the program, so that no kill at any moment
// leaves one that is running and unknown. The package knows nothing of what it runs and imports the standard
// library only.
package process

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	pollInterval = 100 * time.Millisecond
	tailLines    = 15
)

// Spec says how a process is to run. Two equal specs are the same process: Ensure restarts what differs.
type Spec struct {
	Name string
	// Path is the program, Args its arguments.
	Path string
	Args []string
	Env  []string
	Dir  string
	// UID and GID are set before the program starts; zero stays root.
	UID, GID int
	// Cgroups are cgroup.procs files that the process enters, so that its children can be found too.
	Cgroups []string
	// Files are configuration files whose content is part of the spec.
	Files []string
}

// record is the content of a process's file.
type record struct {
	Identity
	SpecHash string `json:"specHash"`
}

// Supervisor keeps the records and the logs of a set of processes.
type Supervisor struct {
	// Dir holds one record a process; it should not survive a reboot.
	Dir string
	// LogDir holds <name>.log of each process, and <name>.log.old of its previous run.
	LogDir string
	// Launcher is the program whose "launch" command calls Launch.
	Launcher string
}

// hash identifies the spec, the program's file and the content of its configuration files.
func (s Spec) hash() (string, error) {
	sum := sha256.New()
	if err := json.NewEncoder(sum).Encode(s); err != nil {
		return "", err
	}
	info, err := os.Stat(s.Path)
	if err != nil {
		return "", err
	}
	// go build renews the modification time of a program that it did not have to change.
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		fmt.Fprintln(sum, info.Size(), system.Dev, system.Ino)
	}
	for _, file := range s.Files {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Ensure makes the process run as the spec says and waits until ready returns nil. A process that runs already and
// is what the spec says is left alone; one that differs is replaced. It reports whether a process was started. When
// the process does not get ready in time, or ends, the error holds the last lines of its log.
func (s *Supervisor) Ensure(ctx context.Context, spec Spec, ready func(context.Context) error,
	timeout time.Duration) (bool, error) {
	hash, err := spec.hash()
	if err != nil {
		return false, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	current, err := s.read(spec.Name)
	if err != nil {
		return false, err
	}
	started := false
	ended := func() bool { return !current.Alive() }
	if ended() || current.SpecHash != hash {
		if err := s.Stop(ctx, spec.Name, 10*time.Second); err != nil {
			return false, err
		}
		if ended, err = s.launch(ctx, spec, hash); err != nil {
			return false, s.explain(spec.Name, err)
		}
		started = true
	}
	if err := await(ctx, ended, ready, timeout); err != nil {
		return started, s.explain(spec.Name, err)
	}
	return started, nil
}

// launch starts the launcher and waits until it has written its record. The function that it returns reports whether
// the process has ended; unlike /proc it is not misled by the moment in which the launcher becomes the program, when
// the kernel shows a zombie.
func (s *Supervisor) launch(ctx context.Context, spec Spec, hash string) (ended func() bool, err error) {
	logPath := s.LogPath(spec.Name)
	if err := os.Rename(logPath, logPath+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()

	request, err := json.Marshal(launchRequest{Spec: spec, Record: s.path(spec.Name), SpecHash: hash})
	if err != nil {
		return nil, err
	}
	// Not CommandContext: the process is to outlive this command. Its session of its own keeps a terminal's
	// interrupt away from it.
	cmd := exec.Command(s.Launcher, "launch", string(request))
	cmd.Env, cmd.Dir = spec.Env, spec.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	for {
		if current, err := s.read(spec.Name); err == nil && current.PID == cmd.Process.Pid {
			return func() bool {
				select {
				case <-exited:
					return true
				default:
					return false
				}
			}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-exited:
			return nil, errors.New("the process ended at once")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// await polls ready until it returns nil or the process has ended.
func await(ctx context.Context, ended func() bool, ready func(context.Context) error, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if ended() {
			return errors.New("the process ended")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w", timeout, err)
		case <-time.After(pollInterval):
		}
	}
}

// explain adds the end of the process's log to an error.
func (s *Supervisor) explain(name string, err error) error {
	tail := "(the log is empty)"
	if content, readErr := os.ReadFile(s.LogPath(name)); readErr == nil && len(content) > 0 {
		lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
		tail = strings.Join(lines[max(0, len(lines)-tailLines):], "\n  ")
	}
	return fmt.Errorf("start %s: %w; the end of %s:\n  %s", name, err, s.LogPath(name), tail)
}

// Alive reports whether the named process runs.
func (s *Supervisor) Alive(name string) bool {
	current, err := s.read(name)
	return err == nil && current.Alive()
}

// PID returns the pid of the named process, 0 when it does not run.
func (s *Supervisor) PID(name string) int {
	if current, err := s.read(name); err == nil && current.Alive() {
		return current.PID
	}
	return 0
}

// Names returns the names of all processes that have a record, whether they run or not.
func (s *Supervisor) Names() ([]string, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), ".json"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// Stop ends the named process: SIGTERM, and SIGKILL when it still runs after the grace period. A process that does
// not run is no error. It never signals a process that merely has the same pid.
func (s *Supervisor) Stop(ctx context.Context, name string, grace time.Duration) error {
	current, err := s.read(name)
	if err != nil {
		return err
	}
	if current.PID > 0 {
		if err := end(ctx, current.Identity, grace); err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
	}
	if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func end(ctx context.Context, id Identity, grace time.Duration) error {
	// The handle refers to one process for good, so checking the identity after it was taken leaves no gap.
	handle, err := os.FindProcess(id.PID)
	if err != nil || !id.Alive() {
		return nil
	}
	defer func() { _ = handle.Release() }()
	deadline := time.Now().Add(grace)
	signal := syscall.SIGTERM
	for id.Alive() {
		if err := handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		for id.Alive() && time.Now().Before(deadline) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pollInterval / 5):
			}
		}
		signal, deadline = syscall.SIGKILL, time.Now().Add(grace)
	}
	return nil
}

// LogPath returns where the named process's output goes.
func (s *Supervisor) LogPath(name string) string {
	return filepath.Join(s.LogDir, name+".log")
}

func (s *Supervisor) path(name string) string {
	return filepath.Join(s.Dir, name+".json")
}

// read returns the record of a process, the zero record when there is none.
func (s *Supervisor) read(name string) (record, error) {
	content, err := os.ReadFile(s.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, err
	}
	var current record
	if err := json.Unmarshal(content, &current); err != nil {
		return record{}, fmt.Errorf("%s: %w", s.path(name), err)
	}
	return current, nil
}
