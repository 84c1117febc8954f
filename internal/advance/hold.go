package advance

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/calendar"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Holds are the facts outside the release that hold an upward move back. The zero Holds hold nothing back.
type Holds struct {
	// Calendar is nil where the stack has no calendar, Incidents where it looks at no incidents.
	Calendar  *Calendar
	Incidents *Incidents
	// Missing are the required attestations that do not hold.
	Missing []Attestation
	// Unapproved are the weights of the stages, in percent, that the move enters and nobody has approved; 0 is the finish.
	Unapproved []int
}

// For are the holds that count for a kind of move. An interrupted shift was begun in time: half a shift is worse than
// one that is completed late. An incident stops it all the same, since it gives the canary more requests now.
func (h Holds) For(kind plan.Kind) Holds {
	switch {
	case kind == plan.Resume:
		return Holds{Incidents: h.Incidents}
	case !(plan.Move{Kind: kind}).IsUpward():
		return Holds{}
	default:
		return h
	}
}

// Calendar is the stack's calendar at the moment of the decision.
type Calendar struct {
	calendar.Opening
	Zone *time.Location
	// Err is why the calendar is not known, such as a file of freezes that cannot be read.
	Err      error
	Override *TimedOverride
}

// Incidents are the incidents at the moment of the decision.
type Incidents struct {
	// Open are those that hold the move back. Err is why they are not known.
	Open     []Incident
	Err      error
	Override *TimedOverride
}

// Incident is an alert that fires, or the file that says so.
type Incident struct {
	Name string
	// Since is when it began; zero where that is unknown.
	Since time.Time
}

// Attestation is a required attestation that does not hold, and why.
type Attestation struct{ Name, Why string }

// TimedOverride is an operator's decision to move in spite of one hold, for some time.
type TimedOverride struct {
	// Key is its key in the configuration.
	Key    string
	Reason string
	Until  time.Time
}

// Lifted is a refusal that does not count, because its own override is in force.
type Lifted struct {
	Refusal
	By TimedOverride
}

// emergency is how long the override lasts that a refusal suggests.
const emergency = 2 * time.Hour

// mostShown is how many incidents a refusal names.
const mostShown = 5

// hold judges what is outside the release. Going down and staying need none of it.
func (d *Decision) hold(f Facts) {
	refusals, lifted := f.Holds.For(d.Move.Kind).Judge(f.Now, f.Stack)
	d.Refusals, d.Lifted = append(d.Refusals, refusals...), append(d.Lifted, lifted...)
}

// Judge gives the refusals of an upward move, and those that do not count. The stack's name appears in commands.
func (h Holds) Judge(now time.Time, stack string) (refusals []Refusal, lifted []Lifted) {
	add := func(override *TimedOverride, list []Refusal) {
		for _, refusal := range list {
			if override != nil && now.Before(override.Until) {
				lifted = append(lifted, Lifted{Refusal: refusal, By: *override})
				continue
			}
			if override != nil {
				refusal.Reason += fmt.Sprintf("; %s ended %s", override.Key, timestamp(override.Until))
			}
			refusals = append(refusals, refusal)
		}
	}
	if h.Calendar != nil {
		add(h.Calendar.Override, h.Calendar.refusals(now, stack))
	}
	if h.Incidents != nil {
		add(h.Incidents.Override, h.Incidents.refusals(now, stack))
	}
	refusals = append(refusals, checklist(h.Missing, stack)...)
	return append(refusals, approval(h.Unapproved, stack)...), lifted
}

func (c *Calendar) refusals(now time.Time, stack string) []Refusal {
	lift := inEmergency(now, stack, "calendar.override")
	if c.Err != nil {
		return []Refusal{{CauseCalendarUnknown, c.Err.Error(), "correct the file; " + lift}}
	}
	if c.Open() {
		return nil
	}
	opens := "it does not open within " + fmt.Sprintf("%d days", calendar.Horizon/(24*time.Hour))
	wait := fmt.Sprintf("look at `pulumi config get calendar -s %s`", stack)
	if !c.Next.IsZero() {
		opens = "opens " + calendar.Format(c.Next, c.Zone)
		wait = fmt.Sprintf("wait until %s, then run `pulumi up -s %s` again", calendar.Format(c.Next, c.Zone), stack)
	}
	return []Refusal{{CauseCalendar, fmt.Sprintf("now is %s; %s; %s", calendar.Format(now, c.Zone),
		strings.Join(c.Rules, "; "), opens), wait + "; " + lift}}
}

func (i *Incidents) refusals(now time.Time, stack string) []Refusal {
	lift := inEmergency(now, stack, "incidents.override")
	again := fmt.Sprintf("then run `pulumi up -s %s` again; %s", stack, lift)
	var refusals []Refusal
	if i.Err != nil {
		refusals = append(refusals, Refusal{CauseBlind, "open incidents are not known: " + i.Err.Error(),
			"restore access, " + again})
	}
	if len(i.Open) > 0 {
		refusals = append(refusals, Refusal{CauseIncident, fmt.Sprintf("now is %s; %s", timestamp(now), i.names()),
			"wait until it is over, " + again})
	}
	return refusals
}

// names lists the incidents with their beginnings.
func (i *Incidents) names() string {
	var list []string
	for _, incident := range i.Open[:min(len(i.Open), mostShown)] {
		text := incident.Name + " since an unknown time"
		if !incident.Since.IsZero() {
			text = incident.Name + " since " + timestamp(incident.Since)
		}
		list = append(list, text)
	}
	if more := len(i.Open) - mostShown; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, "; ")
}

// checklist refuses without the attestations that the stack requires.
func checklist(missing []Attestation, stack string) []Refusal {
	if len(missing) == 0 {
		return nil
	}
	var reasons, commands []string
	for _, attestation := range missing {
		reasons = append(reasons, attestation.Name+": "+attestation.Why)
		commands = append(commands,
			fmt.Sprintf("`rollout attest %s --ref WHERE --until 7d -s %s`", attestation.Name, stack))
	}
	return []Refusal{{CauseChecklist, strings.Join(reasons, "; "),
		fmt.Sprintf("%s, then run `pulumi up -s %s` again", strings.Join(commands, " and "), stack)}}
}

// approval refuses without the approvals that the stack asks for.
func approval(unapproved []int, stack string) []Refusal {
	var refusals []Refusal
	for _, weight := range unapproved {
		stage, to := fmt.Sprintf("the stage of %d %%", weight), fmt.Sprintf("--to %d", weight)
		if weight == 0 {
			stage, to = "the finish", "--finish"
		}
		refusals = append(refusals, Refusal{CauseApproval,
			fmt.Sprintf("advance.approval asks for a person's word on %s, and nobody has approved it", stage),
			fmt.Sprintf("`rollout approve %s -s %s`, then run `pulumi up -s %[2]s` again", to, stack)})
	}
	return refusals
}

// inEmergency are the commands that lift one kind of hold for a while, with a reason that the ledger keeps.
func inEmergency(now time.Time, stack, key string) string {
	return fmt.Sprintf("in an emergency, `pulumi config set --path %[1]s.reason WHY -s %[2]s && "+
		"pulumi config set --path %[1]s.until %[3]s -s %[2]s && pulumi up -s %[2]s`", key, stack,
		timestamp(now.Add(emergency).Truncate(time.Minute)))
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
