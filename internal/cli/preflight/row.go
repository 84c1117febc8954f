package preflight

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// State is the state of a row.
type State string

// States.
const (
	OK State = "ok"
	// Failed: the check failed.
	Failed State = "failed"
	// Unknown: the check could not run.
	Unknown State = "unknown"
	// Skipped: the stack's settings turn the check off.
	Skipped State = "skipped"
)

// Row is one check.
type Row struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Found is the finding, with its numbers.
	Found string `json:"found"`
	// Fix is the command or step that fixes it, empty when there is nothing to do.
	Fix string `json:"fix,omitempty"`
}

// is sets the state and the finding. A row that is OK or skipped needs no fix.
func (r Row) is(state State, finding string, args ...any) Row {
	r.State, r.Found = state, fmt.Sprintf(finding, args...)
	if state == OK || state == Skipped {
		r.Fix = ""
	}
	return r
}

// row returns a row with its fix.
func row(name, fix string, args ...any) Row { return Row{Name: name, Fix: fmt.Sprintf(fix, args...)} }

// unseen marks a row whose check could not run.
func (r Row) unseen(err error) Row {
	r.State, r.Found = Unknown, strings.Join(strings.Fields(err.Error()), " ")
	if strings.Contains(r.Found, "forbidden") {
		r.Fix = "get the permission that the message names, or ask somebody who has it to run the checklist"
	}
	return r
}

// Checklist is the list of all checks.
type Checklist struct {
	Stack string `json:"stack"`
	Rows  []Row  `json:"rows"`
}

// State returns the worst state of the rows: failed, then unknown, then ok.
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

// Count returns the number of rows in a state.
func (c Checklist) Count(state State) int {
	count := 0
	for _, row := range c.Rows {
		if row.State == state {
			count++
		}
	}
	return count
}

// Check runs all checks of a stack.
func Check(s *settings.Settings, f Facts) Checklist {
	c := checker{s: s, f: f, on: func(command string, args ...any) string {
		return fmt.Sprintf(command, args...) + " -s " +
			f.Stack
	}}
	list := Checklist{Stack: f.Stack}
	list.Rows = append(list.Rows, c.cluster(), c.permissions(), c.namespace())
	list.Rows = append(list.Rows, c.secrets()...)
	list.Rows = append(list.Rows, c.images()...)
	list.Rows = append(list.Rows, c.prometheus(), c.targets(), c.rules(), c.metrics(), c.traffic(),
		c.alertmanager(), c.grafana(),
		c.otlp())
	if s.IsGateway() {
		list.Rows = append(list.Rows, c.route())
	}
	if !s.IsSingle() {
		list.Rows = append(list.Rows, c.falseAlarms(), c.staging(), c.latch(), c.stable(), c.capacity(), c.rehearsal())
		list.Rows = append(list.Rows, c.backup("database backup", "database-backup", "databaseBackup",
			s.Preflight.DatabaseBackup, f.DatabaseBackup))
		list.Rows = append(list.Rows, c.backup("event-store backup", "eventstore-backup", "eventStoreBackup",
			s.Preflight.EventStoreBackup, f.EventStoreBackup))
		list.Rows = append(list.Rows, c.attested("security audit", "security-audit"), c.attested("sign-off", "sign-off"))
	}
	return list
}

// checker runs the checks.
type checker struct {
	s  *settings.Settings
	f  Facts
	on func(command string, args ...any) string
}

// errNoCluster is the reason of rows that need the cluster.
var errNoCluster = errors.New("the cluster does not answer")

// within reports whether the cluster answers. If it does not, all rows that need it share one reason.
func (c checker) within(r Row) (Row, bool) {
	if c.f.Cluster.Err != nil {
		return r.unseen(errNoCluster), false
	}
	return r, true
}

// first reports whether the stack was never rolled out, so that nothing of it exists yet.
func (c checker) first() bool { return c.f.Namespace.Err == nil && !c.f.Namespace.Exists }

func some(names []string) string {
	const most = 6
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func contains(list []string, name string) bool { return slices.Contains(list, name) }
