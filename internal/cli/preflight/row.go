package preflight

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// State is that of a row.
type State string

// States.
const (
	OK State = "ok"
	// Failed: it is not in order.
	Failed State = "failed"
	// Unknown: it could not be looked at.
	Unknown State = "unknown"
	// Skipped: this stack does without, and says so.
	Skipped State = "skipped"
)

// Row is a line of the checklist.
type Row struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Found is what was found, with its numbers.
	Found string `json:"found"`
	// Fix is the command or the step that puts it in order; empty where nothing is to do.
	Fix string `json:"fix,omitempty"`
}

func (r Row) is(state State, found string, args ...any) Row {
	r.State, r.Found = state, fmt.Sprintf(found, args...)
	if state == OK || state == Skipped {
		r.Fix = ""
	}
	return r
}

// fix says how to put it in order; is takes it away again where there is nothing to do.
func row(name, fix string, args ...any) Row { return Row{Name: name, Fix: fmt.Sprintf(fix, args...)} }

// unseen is a row that could not be looked at.
func (r Row) unseen(err error) Row {
	r.State, r.Found = Unknown, strings.Join(strings.Fields(err.Error()), " ")
	if strings.Contains(r.Found, "forbidden") {
		r.Fix = "get the right that is named, or let somebody look who has it"
	}
	return r
}

// Checklist is all rows.
type Checklist struct {
	Stack string `json:"stack"`
	Rows  []Row  `json:"rows"`
}

// State is the worst of the rows' states: failed, then unknown, then ok.
func (c Checklist) State() State {
	worst := OK
	for _, row := range c.Rows {
		if row.State == Failed {
			return Failed
		}
		if row.State == Unknown {
			worst = Unknown
		}
	}
	return worst
}

// Count is how many rows have a state.
func (c Checklist) Count(state State) int {
	count := 0
	for _, row := range c.Rows {
		if row.State == state {
			count++
		}
	}
	return count
}

// Check makes the rows of a stack.
func Check(s *settings.Settings, f Facts) Checklist {
	c := checker{s: s, f: f, on: func(command string, args ...any) string {
		return fmt.Sprintf(command, args...) + " -s " +
			f.Stack
	}}
	list := Checklist{Stack: f.Stack}
	list.Rows = append(list.Rows, c.cluster(), c.permissions(), c.namespace())
	list.Rows = append(list.Rows, c.secrets()...)
	list.Rows = append(list.Rows, c.images()...)
	list.Rows = append(list.Rows, c.prometheus(), c.targets(), c.rules(), c.metrics(), c.alertmanager(), c.grafana(),
		c.otlp())
	if !s.IsSingle() {
		list.Rows = append(list.Rows, c.staging(), c.latch(), c.stable(), c.capacity(), c.rehearsal())
		list.Rows = append(list.Rows, c.backup("database backup", "database-backup", "databaseBackup",
			s.Preflight.DatabaseBackup, f.DatabaseBackup))
		list.Rows = append(list.Rows, c.backup("event-store backup", "eventstore-backup", "eventStoreBackup",
			s.Preflight.EventStoreBackup, f.EventStoreBackup))
		list.Rows = append(list.Rows, c.attested("security audit", "security-audit"), c.attested("sign-off", "sign-off"))
	}
	return list
}

// checker makes rows.
type checker struct {
	s  *settings.Settings
	f  Facts
	on func(command string, args ...any) string
}

// errNoCluster says that a row needs the cluster.
var errNoCluster = errors.New("the cluster does not answer")

// within tells whether the cluster answers; without it the rows that need it are unknown for one and the same reason.
func (c checker) within(r Row) (Row, bool) {
	if c.f.Cluster.Err != nil {
		return r.unseen(errNoCluster), false
	}
	return r, true
}

// first tells that the stack was never rolled out: what a rollout makes is not there yet.
func (c checker) first() bool { return c.f.Namespace.Err == nil && !c.f.Namespace.Exists }

func some(names []string) string {
	const most = 6
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func contains(list []string, name string) bool { return slices.Contains(list, name) }
