package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/notify"
)

// Line is an event of the timeline.
type Line struct {
	Time time.Time `json:"time"`
	Who  string    `json:"who,omitempty"`
	What string    `json:"what"`
	// Detail is a reason or a link, as given by a person or a gate.
	Detail string `json:"detail,omitempty"`
	Tone   Tone   `json:"tone"`
}

// timeline describes the entries. Consecutive checkpoints with the same verdict share a line.
func timeline(story []ledger.Entry) []Line {
	var lines []Line
	for i := 0; i < len(story); i++ {
		entry := story[i]
		if entry.Kind != ledger.Checkpoint && entry.Kind != ledger.Checkpoints {
			lines = append(lines, describe(entry))
			continue
		}
		count, last := looks(entry), entry
		for i+1 < len(story) && (story[i+1].Kind == ledger.Checkpoint || story[i+1].Kind == ledger.Checkpoints) &&
			story[i+1].Verdict == entry.Verdict {
			i++
			count, last = count+looks(story[i]), story[i]
		}
		until := last.Time
		if last.Until != nil {
			until = *last.Until
		}
		line := Line{Time: entry.Time, Who: entry.Author(), What: "checkpoint: " + word(entry.Verdict),
			Tone: toneOf(entry.Verdict), Detail: last.Reason}
		if count > 1 {
			line.What = fmt.Sprintf("%d checkpoints until %s: %s", count, moment(until), word(entry.Verdict))
		}
		lines = append(lines, line)
	}
	return lines
}

// looks returns the number of checkpoints or extensions of an entry.
func looks(entry ledger.Entry) int { return max(entry.Folded, 1) }

// describe describes an entry.
func describe(entry ledger.Entry) Line {
	line := Line{Time: entry.Time, Who: entry.Author(), Detail: entry.Reason, Tone: Plain}
	switch entry.Kind {
	case ledger.ShiftBegun:
		line.What = fmt.Sprintf("admitted from %d %% to %d %%", entry.From, entry.To)
	case ledger.ShiftReached:
		line.What, line.Tone = fmt.Sprintf("reached %d %%", entry.To), Good
	case ledger.Verdict:
		line.What, line.Tone = "verdict: "+word(entry.Verdict), toneOf(entry.Verdict)
	case ledger.Extended:
		line.What, line.Tone = "soak extended", Warn
	case ledger.Quarantined:
		line.What, line.Tone = fmt.Sprintf("quarantined, offence %d", entry.Offence), Warn
		if entry.Until != nil {
			line.What += ", until " + moment(*entry.Until)
		}
	case ledger.Quarantines:
		line.What, line.Tone = fmt.Sprintf("%d quarantines, %v in all", entry.Folded,
			(time.Duration(entry.Took)*time.Millisecond).Round(time.Second)), Warn
	case ledger.Readmitted:
		line.What, line.Tone = "readmitted", Good
	case ledger.RollbackBegun:
		line.What, line.Tone = fmt.Sprintf("rollback from %d %% began; the image is latched", entry.From), Bad
	case ledger.RolledBack:
		line.What, line.Tone = "rolled back: "+word(entry.Verdict), Bad
	case ledger.LatchReleased:
		line.What, line.Tone = fmt.Sprintf("latch of entry %d released", entry.Ref), Warn
	case ledger.Overridden:
		line.What, line.Tone = fmt.Sprintf("gate overridden for %d %%", entry.To), Warn
	case ledger.StagingVerified:
		line.What, line.Tone = "verified by stack "+entry.Stack, Good
	case ledger.Finished:
		line.What, line.Tone = "finished: the canary's image is now stable", Good
	case ledger.ExpressBegun:
		line.What, line.Tone = "express change begun, canary pods first", Warn
	case ledger.Expressed:
		line.What, line.Tone = "express change reached both tracks", Warn
	case ledger.Attested:
		line.What, line.Detail = "attested: "+entry.Name, entry.Link
		if entry.Until != nil {
			line.What += ", until " + moment(*entry.Until)
		}
	case ledger.Approved:
		line.What, line.Tone = "approved for "+entry.ApprovedFor(), Good
	case ledger.Rehearsed:
		line.What, line.Tone = fmt.Sprintf("rollback rehearsed in %s in %v: %s", entry.Stack,
			time.Duration(entry.Took)*time.Millisecond, word(entry.Verdict)), toneOf(entry.Verdict)
	case ledger.SmokeTested:
		line.What = "smoke suite ran; its requests are no evidence"
	default:
		line.What = string(entry.Kind)
	}
	return line
}

// word returns a verdict, or a dash for none.
func word(verdict string) string {
	if verdict == "" {
		return "-"
	}
	return verdict
}

func toneOf(verdict string) Tone {
	switch verdict {
	case "pass", "complete":
		return Good
	case "fail", "incomplete":
		return Bad
	case "":
		return Plain
	default:
		return Warn
	}
}

// stages returns the stages of the release.
func stages(story []ledger.Entry) []Stage {
	var list []Stage
	var open *Stage
	end := func(entry ledger.Entry, how string, tone Tone) {
		if open != nil {
			open.Until, open.Ended, open.Tone = entry.Time, how, tone
			open = nil
		}
	}
	for _, entry := range story {
		switch entry.Kind {
		case ledger.ShiftReached, ledger.Finished:
			if open != nil && open.Weight == entry.To {
				continue // the same weight, verified again
			}
			switch {
			case entry.Kind == ledger.Finished:
				end(entry, "finished", Good)
			case open != nil && entry.To < open.Weight:
				end(entry, fmt.Sprintf("lowered to %d %%", entry.To), Warn)
			default:
				end(entry, fmt.Sprintf("advanced to %d %%", entry.To), Good)
			}
			if entry.To > 0 {
				list = append(list, Stage{Weight: entry.To, Since: entry.Time, Tone: Plain})
				open = &list[len(list)-1]
			}
		case ledger.RollbackBegun:
			end(entry, "rolled back", Bad)
		case ledger.Checkpoint, ledger.Checkpoints, ledger.Verdict, ledger.Extended:
			if open != nil {
				open.checkpoint(entry)
			}
		}
	}
	return list
}

// checkpoint updates the stage with a checkpoint, verdict or extension.
func (s *Stage) checkpoint(entry ledger.Entry) {
	switch entry.Kind {
	case ledger.Checkpoint, ledger.Checkpoints:
		s.Checkpoints += looks(entry)
	case ledger.Extended:
		s.Extensions += looks(entry)
	}
	if entry.Soaked > 0 {
		s.Soaked = time.Duration(entry.Soaked) * time.Second
	}
	if entry.Verdict != "" {
		s.Verdict = entry.Verdict
	}
	if len(entry.Numbers) > 0 {
		s.Numbers = entry.Numbers
	}
}

// decisions returns the verdicts with their numbers. Of consecutive checkpoints with the same verdict only the last
// one counts, because its numbers include the others.
func decisions(story []ledger.Entry) []Decision {
	var list []Decision
	for i, entry := range story {
		if entry.Verdict == "" && len(entry.Numbers) == 0 {
			continue
		}
		var title string
		switch entry.Kind {
		case ledger.Checkpoint, ledger.Checkpoints:
			if i+1 < len(story) && story[i+1].Kind == entry.Kind && story[i+1].Verdict == entry.Verdict {
				continue
			}
			title = "checkpoint"
		case ledger.Verdict:
			title = fmt.Sprintf("soak at %d %%", entry.To)
		case ledger.Extended:
			title = "end of the soak"
		default:
			continue
		}
		if entry.Soaked > 0 {
			title += fmt.Sprintf(", %v soaked", time.Duration(entry.Soaked)*time.Second)
		}
		list = append(list, Decision{
			Time: entry.Time, Who: entry.Author(), What: title, Verdict: entry.Verdict, Tone: toneOf(entry.Verdict),
			Reason: entry.Reason, Numbers: entry.Numbers,
		})
	}
	return list
}

// rollbacks combines the entries of each rollback.
func rollbacks(story []ledger.Entry, stack string) []Rollback {
	var list []Rollback
	byEntry := map[int]int{}
	for _, entry := range story {
		switch entry.Kind {
		case ledger.RollbackBegun:
			byEntry[entry.Seq] = len(list)
			list = append(list, Rollback{Begun: entry.Time, Who: entry.Author(), Weight: entry.From, Reason: entry.Reason})
		case ledger.RolledBack:
			if len(list) == 0 {
				list = append(list, Rollback{Begun: entry.Time, Who: entry.Author(), Reason: entry.Reason})
			}
			last := &list[len(list)-1]
			last.Done, last.Complete, last.Outcome = entry.Time, entry.Verdict == "complete", entry.Reason
		case ledger.LatchReleased:
			if at, known := byEntry[entry.Ref]; known {
				list[at].Released = strings.TrimSpace(fmt.Sprintf("%s by %s: %s", moment(entry.Time), entry.Author(), entry.Reason))
			}
		}
	}
	for i := range list {
		if last := &list[i]; !last.Done.IsZero() && last.Released == "" {
			retry := notify.RetryOf(last.Done, stack)
			last.Retry = &retry
		}
	}
	return list
}
