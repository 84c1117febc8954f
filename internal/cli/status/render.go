package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// Render renders the status on one screen.
func (s *Status) Render(style terminal.Style) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s   stack %s   namespace %s   %s\n", style.Bold(s.App), style.Bold(s.Release), s.Stack,
		s.Namespace, style.Faint(s.Cluster))
	fmt.Fprintf(&out, "%s   %s\n", s.Order.color(style, strings.ToUpper(string(s.Phase))), sanitize.Line(s.Summary))
	if s.Staged != "" {
		fmt.Fprintf(&out, "config image is empty: a release that enters runs %s, which staging has verified\n",
			sanitize.Line(s.Staged))
	}
	for _, note := range s.Notes {
		fmt.Fprintf(&out, "  %s %s\n", style.Warn("->"), sanitize.Line(note))
	}
	if s.Phase != PhaseSingle {
		out.WriteString("\n" + s.position(style))
	}
	out.WriteString("\n" + s.trackTable(style))
	if s.Soak != nil && len(s.Soak.Criteria) > 0 {
		out.WriteString("\n" + s.Soak.table(style, s.Time))
	}
	if s.Phase != PhaseSingle {
		out.WriteString("\n" + s.watch(style))
	}
	if len(s.Entries) > 0 {
		out.WriteString("\n" + s.ledger(style))
	}
	for _, missing := range s.Missing {
		fmt.Fprintf(&out, "%s %s\n", style.Warn("not read:"), sanitize.Line(missing))
	}
	return out.String()
}

func (o Order) color(style terminal.Style, text string) string {
	switch o {
	case InOrder:
		return style.Good(text)
	case OutOfOrder:
		return style.Bad(text)
	default:
		return style.Warn(text)
	}
}

func verdictColor(style terminal.Style, verdict gate.Verdict) string {
	switch verdict {
	case gate.Pass:
		return style.Good(string(verdict))
	case gate.Fail:
		return style.Bad(string(verdict))
	default:
		return style.Warn(string(verdict))
	}
}

// position renders the weights and the soak.
func (s *Status) position(style terminal.Style) string {
	percent := func(weight *int) string {
		if weight == nil {
			return style.Warn("unknown")
		}
		return fmt.Sprintf("%d %%", *weight)
	}
	measured := style.Faint("no requests")
	if s.Weight.Measured != nil {
		measured = fmt.Sprintf("%.1f %% of %s requests in %s", *s.Weight.Measured, count(s.Weight.Requests),
			model.Duration(s.Weight.Window))
	}
	rows := [][]string{{style.Bold("weight"), fmt.Sprintf("asked %d %%   now %s   passed %s   measured %s",
		s.Weight.Asked, percent(s.Weight.Stands), percent(s.Weight.Passed), measured)}}
	if s.StableIdentity != "" {
		rows = append(rows, []string{style.Bold("identity"), s.identities()})
	}
	if s.Express != "" {
		rows = append(rows, []string{style.Bold("express"),
			style.Warn("on its way to both tracks") + ": " + sanitize.Line(s.Express)})
	}
	if s.Soak != nil {
		rows = append(rows, []string{style.Bold("soak"), s.Soak.bar(style, s.Time)})
	}
	if s.Advance != nil {
		rows = append(rows, []string{style.Bold("advance"), s.Advance.text(style)})
	}
	return terminal.Table(nil, rows)
}

// identities names what each track runs, and where they differ.
func (s *Status) identities() string {
	if s.Identity == "" || s.Identity == s.StableIdentity {
		return "stable " + s.StableIdentity
	}
	return fmt.Sprintf("canary %s   stable %s   %s", s.Identity, s.StableIdentity,
		sanitize.Line(strings.Join(s.Differences, ", ")))
}

// text says who goes on, and which approvals that waits for.
func (a Advance) text(style terminal.Style) string {
	text := "by hand"
	if a.Mode == settings.AdvanceAuto {
		text = "by itself"
	}
	if len(a.Unapproved) == 0 {
		return text
	}
	var stages []string
	for _, weight := range a.Unapproved {
		stages = append(stages, ledger.Entry{To: weight}.ApprovedFor())
	}
	return text + "; " + style.Warn("needs an approval: "+strings.Join(stages, ", "))
}

const barWidth = 30

// bar renders the progress of the soak. Without a first reading the watched time is unknown.
func (s *Soak) bar(style terminal.Style, now time.Time) string {
	if s.Source == "" {
		return s.progress(now)
	}
	full := int(math.Floor(s.share() * barWidth))
	return fmt.Sprintf("[%s%s] %s", style.Good(strings.Repeat("#", full)), strings.Repeat(".", barWidth-full),
		s.progress(now))
}

func (s *Soak) progress(now time.Time) string {
	due := "a checkpoint is due"
	if left := s.NextCheckpoint.Sub(now); left > 0 {
		due = fmt.Sprintf("next checkpoint in %s", duration(left))
	}
	if s.Source == "" {
		return fmt.Sprintf("since %s, of %s; no reading yet; %s", clock(s.Since), duration(time.Duration(s.Required)),
			due)
	}
	text := fmt.Sprintf("%s of %s watched; %s", duration(time.Duration(s.Soaked)), duration(time.Duration(s.Required)),
		due)
	if s.Extensions > 0 {
		text += fmt.Sprintf("; extended %s", times(s.Extensions))
	}
	return text
}

// share is the watched part of the soak, from 0 to 1.
func (s *Soak) share() float64 {
	if s.Required <= 0 {
		return 1
	}
	return min(1, float64(s.Soaked)/float64(s.Required))
}

func (s *Status) trackTable(style terminal.Style) string {
	var rows [][]string
	for _, track := range s.Tracks {
		pods := fmt.Sprintf("%d of %d", track.Ready, track.Desired)
		switch {
		case !track.Exists:
			pods = style.Faint("none")
		case track.Ready < track.Desired || len(track.Problems) > 0:
			pods = style.Bad(pods)
		}
		restarts := strconv.Itoa(track.Restarts)
		if track.Restarts > 0 {
			restarts = style.Warn(restarts)
		}
		rows = append(rows, []string{track.Name, track.Deployment, short(track.Image), pods, strconv.Itoa(track.Taking),
			strconv.Itoa(track.Isolated), restarts})
	}
	return terminal.Table([]string{"TRACK", "DEPLOYMENT", "IMAGE", "READY", "SERVING", "ISOLATED", "RESTARTS"}, rows)
}

func (s *Soak) table(style terminal.Style, now time.Time) string {
	var rows [][]string
	for _, c := range s.Criteria {
		row := []string{c.Name, verdictColor(style, c.Verdict), "-", "-", "-", "-", "-"}
		if c.Target > 0 && c.Verdict != gate.Error {
			row = []string{c.Name, verdictColor(style, c.Verdict), count(float64(c.K)), count(float64(c.N)),
				percentage(c.Lower) + " to " + percentage(c.Upper), percentage(c.Target), percentage(c.Rollback)}
		}
		rows = append(rows, append(row, style.Faint(remark(c))))
	}
	text := terminal.Table([]string{"CRITERION", "VERDICT", "BAD", "REQUESTS", "SHARE", "TARGET", "ROLLBACK", ""},
		rows)
	for _, c := range s.Criteria {
		for _, note := range c.Notes {
			text += style.Faint(c.Name+": "+sanitize.Line(note)) + "\n"
		}
	}
	if s.Source == SourceCheckpoint {
		text += style.Faint(fmt.Sprintf("from the last checkpoint, %s ago; a fresh reading takes longer than this screen "+
			"waits",
			duration(now.Sub(s.LookedAt)))) + "\n"
	}
	return text
}

// remark is the reason why a criterion is not met.
func remark(c Criterion) string {
	const longest = 90
	if c.Verdict == gate.Pass || c.Reason == "" {
		return ""
	}
	if runes := []rune(c.Reason); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return c.Reason
}

// watch renders alerts, latch, guard and the operator at work.
func (s *Status) watch(style terminal.Style) string {
	alerts := style.Good("none firing")
	if len(s.Alerts) > 0 {
		var names []string
		for _, alert := range s.Alerts {
			name := alert.Name + " (" + alert.Severity + ")"
			if alert.Severity == "critical" {
				name = style.Bad(name)
			} else {
				name = style.Warn(name)
			}
			names = append(names, name)
		}
		alerts = strings.Join(names, ", ")
	}
	latch := "open"
	if s.Latch != nil {
		latch = style.Bad("engaged") + fmt.Sprintf(" for %s by entry %d: %s", short(s.Latch.Image), s.Latch.Seq,
			s.Latch.Reason)
	}
	rows := [][]string{{style.Bold("alerts"), alerts}, {style.Bold("latch"), latch}}
	rows = append(append(rows, s.holdRows(style)...), []string{style.Bold("guard"), s.Guard.text(style, s.Time)})
	if s.Quarantine != nil {
		rows = append(rows, []string{style.Bold("quarantine"), style.Warn(quarantined(*s.Quarantine))})
	}
	if s.Operator != "" {
		rows = append(rows, []string{style.Bold("at work"), style.Warn(s.Operator)})
	}
	return terminal.Table(nil, rows)
}

// quarantined is a canary's quarantine in one line.
func quarantined(entry ledger.Entry) string {
	text := "out of traffic since " + clock(entry.Time)
	if entry.Until != nil {
		text += ", until " + clock(*entry.Until)
	}
	return fmt.Sprintf("%s, offence %d: %s", text, entry.Offence, entry.Reason)
}

func (g Guard) text(style terminal.Style, now time.Time) string {
	switch {
	case !g.Wanted:
		return style.Faint("none: a bad canary is not rolled back between updates (config guard.image)")
	case g.isGone(now):
		return style.Bad(fmt.Sprintf("%d ready, none active", g.Ready))
	case g.DryRun:
		return style.Warn(fmt.Sprintf("%s active, dry run: it reports and changes nothing; %d ready", g.Leader, g.Ready))
	default:
		return fmt.Sprintf("%s active; %d ready", g.Leader, g.Ready)
	}
}

// isGone reports whether no guard is active.
func (g Guard) isGone(now time.Time) bool { return g.Leader == "" || now.Sub(g.Renewed) > leaseOld }

func (s *Status) ledger(style terminal.Style) string {
	var rows [][]string
	for _, entry := range s.Entries {
		const longest = 110
		text := []rune(entry.Describe())
		if len(text) > longest {
			text = append(text[:longest:longest], '…')
		}
		rows = append(rows, []string{style.Faint(strconv.Itoa(entry.Seq)), style.Faint(clock(entry.Time)), entry.Who,
			string(text)})
	}
	return terminal.Table([]string{"ENTRY", "TIME (UTC)", "WHO", "WHAT"}, rows)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// count formats a number of requests with thousands separators.
func count(n float64) string {
	digits := strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func percentage(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) + " %" }

// duration formats the two largest units.
func duration(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%d s", d/time.Second)
	}
}

// Words are the functions by which every view of a status puts its values into words, by name, for a template.
func Words() map[string]any {
	return map[string]any{
		"clock": clock, "count": count, "percentage": percentage, "short": short, "quarantined": quarantined,
		"remark":   remark,
		"window":   func(d time.Duration) string { return model.Duration(d).String() },
		"progress": func(s *Soak, now time.Time) string { return s.progress(now) },
		"watched":  func(s *Soak) int { return int(100 * s.share()) },
		"guard":    func(g Guard, now time.Time) string { return g.text(terminal.Style{}, now) },
		"gone":     func(g Guard, now time.Time) bool { return g.Wanted && g.isGone(now) },
	}
}
