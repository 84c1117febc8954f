// Package progress shows which long steps are running and for how long: one live line on a terminal, a line
// every 15 seconds in a log. It imports the standard library only.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// logInterval is how often a running task is mentioned where there is no terminal.
const logInterval = 15 * time.Second

// Reporter prints the progress of tasks, several of which may run at once.
type Reporter struct {
	out      io.Writer
	terminal bool
	now      func() time.Time

	mu     sync.Mutex
	active []*Task
	stop   chan struct{}
	live   bool // a live line is on the screen
}

// Task is one running step.
type Task struct {
	title   string
	started time.Time
	logged  time.Time

	mu     sync.Mutex
	detail string
}

// New returns a Reporter that writes to file, with a live line when file is a terminal.
func New(file *os.File) *Reporter {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return newReporter(file, terminal, time.Now)
}

func newReporter(out io.Writer, terminal bool, now func() time.Time) *Reporter {
	return &Reporter{out: out, terminal: terminal, now: now}
}

// Detail sets what is shown behind the task's title while it runs.
func (t *Task) Detail(detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.detail = detail
}

func (t *Task) line(now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := fmt.Sprintf("%s  %s", t.title, round(now.Sub(t.started)))
	if t.detail != "" {
		line += " (" + t.detail + ")"
	}
	return line
}

// Say prints one line.
func (r *Reporter) Say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	fmt.Fprintf(r.out, format+"\n", args...)
}

// Run runs fn, shows that it runs, and prints how long it took or that it failed. It returns fn's error.
func (r *Reporter) Run(title string, fn func(*Task) error) error {
	task := &Task{title: title, started: r.now(), logged: r.now()}
	r.add(task)
	err := fn(task)
	r.remove(task)

	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	r.Say("%s: %s in %s", title, outcome, round(r.now().Sub(task.started)))
	return err
}

func (r *Reporter) add(task *Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active = append(r.active, task)
	if len(r.active) == 1 {
		r.stop = make(chan struct{})
		go r.tick(r.stop)
	}
}

func (r *Reporter) remove(task *Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, active := range r.active {
		if active == task {
			r.active = append(r.active[:i], r.active[i+1:]...)
			break
		}
	}
	if len(r.active) == 0 {
		close(r.stop)
	}
}

func (r *Reporter) tick(stop <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			r.show()
		}
	}
}

// show draws the live line, or logs the tasks that were not mentioned for a while.
func (r *Reporter) show() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	var lines []string
	for _, task := range r.active {
		if r.terminal {
			lines = append(lines, task.line(now))
			continue
		}
		if now.Sub(task.logged) >= logInterval {
			task.logged = now
			fmt.Fprintf(r.out, "... %s\n", task.line(now))
		}
	}
	if len(lines) > 0 {
		r.clear()
		fmt.Fprint(r.out, strings.Join(lines, " | "))
		r.live = true
	}
}

// clear removes the live line; the caller holds the lock.
func (r *Reporter) clear() {
	if r.live {
		fmt.Fprint(r.out, "\r\033[K")
		r.live = false
	}
}

func round(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
