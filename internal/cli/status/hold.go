package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/calendar"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// holdsOf are the holds on an upward move, those that count first.
func holdsOf(holds advance.Holds, now time.Time, stack string) []Hold {
	refusals, lifted := holds.Judge(now, stack)
	var list []Hold
	for _, refusal := range refusals {
		hold := Hold{Cause: string(refusal.Cause), Reason: refusal.Reason, Resolve: refusal.Resolve}
		if c := holds.Calendar; refusal.Cause == advance.CauseCalendar && !c.Next.IsZero() {
			hold.Opens = calendar.Format(c.Next, c.Zone)
		}
		list = append(list, hold)
	}
	for _, refusal := range lifted {
		list = append(list, Hold{Cause: string(refusal.Cause), Reason: refusal.Reason, Lifted: refusal.By.Reason})
	}
	return list
}

// when says what the next step waits for, empty for nothing.
func (s *Status) when() string {
	var waits []string
	for _, hold := range s.Holds {
		switch {
		case hold.Lifted != "":
		case hold.Opens != "":
			waits = append(waits, "the calendar opens "+hold.Opens)
		default:
			waits = append(waits, "this is resolved: "+hold.Cause)
		}
	}
	if len(waits) == 0 {
		return ""
	}
	return ", when " + strings.Join(waits, " and ")
}

// holdRows are the holds for people.
func (s *Status) holdRows(style terminal.Style) [][]string {
	var rows [][]string
	for _, hold := range s.Holds {
		text := sanitize.Line(hold.Cause + ": " + hold.Reason)
		if hold.Lifted == "" {
			text = style.Warn(text)
		} else {
			text = style.Faint(fmt.Sprintf("lifted (%s): %s", sanitize.Line(hold.Lifted), text))
		}
		rows = append(rows, []string{style.Bold("held"), text})
	}
	return rows
}
