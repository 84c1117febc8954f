package ledger

import (
	"fmt"
	"strings"
	"time"
)

// LimitsChanged means that the limits, the soak or the bake changed while a release is on trial. Before are the terms
// until then, Terms those from then on.
const LimitsChanged Kind = "limits-changed"

// GuardConfigured means that an update gives the guard another configuration. The entry holds its checksum: a guard
// that runs on any other one was given it by somebody else.
const GuardConfigured Kind = "guard-configured"

// Changes says for people what is different in the terms that follow these; nothing where they ask for the same. What
// only one of the two knows, because another version wrote it, is no change.
func (t *Terms) Changes(next Terms) []string {
	var changes []string
	add := func(name, before, after string) {
		if before != after {
			changes = append(changes, fmt.Sprintf("%s %s -> %s", name, before, after))
		}
	}
	add("soak", seconds(t.Soak), seconds(next.Soak))
	add("extension", seconds(t.Extension), seconds(next.Extension))
	add("bake", seconds(t.Bake), seconds(next.Bake))
	changes = append(changes, t.limitChanges(next)...)
	if t.Series != "" && next.Series != "" && t.Series != next.Series {
		add("series", "("+t.Series+")", "("+next.Series+")")
	}
	return changes
}

func (t *Terms) limitChanges(next Terms) []string {
	var changes []string
	after := map[string]Limit{}
	for _, limit := range next.Limits {
		after[limit.Name] = limit
	}
	before := map[string]bool{}
	for _, limit := range t.Limits {
		before[limit.Name] = true
		now, kept := after[limit.Name]
		if !kept {
			changes = append(changes, limit.Name+" removed")
			continue
		}
		if changed := limit.changes(now); len(changed) > 0 {
			changes = append(changes, limit.Name+" "+strings.Join(changed, " and "))
		}
	}
	for _, limit := range next.Limits {
		if !before[limit.Name] {
			changes = append(changes, limit.Name+" added")
		}
	}
	return changes
}

func (l Limit) changes(next Limit) []string {
	var changes []string
	add := func(name, before, after string) {
		if before != after {
			changes = append(changes, strings.TrimSpace(fmt.Sprintf("%s %s -> %s", name, before, after)))
		}
	}
	add("", l.bound(l.Target), next.bound(next.Target))
	if l.Direction == "" {
		add("rollback", l.bound(l.Rollback), next.bound(next.Rollback))
	}
	add("direction", l.Direction, next.Direction)
	// Older versions wrote none of these.
	if l.Confidence > 0 {
		add("confidence", short(l.Confidence), short(next.Confidence))
		add("requests", fmt.Sprint(l.Requests), fmt.Sprint(next.Requests))
		add("latency", milliseconds(l.Bound), milliseconds(next.Bound))
	}
	if l.Query != "" {
		add("query", l.Query, next.Query)
	}
	return changes
}

// bound prints a limit: a share in percent, the limit of a query as it is.
func (l Limit) bound(number float64) string {
	if l.Direction != "" {
		return short(number)
	}
	return short(100*number) + " %"
}

func milliseconds(count int64) string { return (time.Duration(count) * time.Millisecond).String() }
