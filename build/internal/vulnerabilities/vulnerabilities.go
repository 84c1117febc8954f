// Package vulnerabilities judges the report of govulncheck: a vulnerability that the code calls, not accepted with a
// reason, fails the check. It reads the report and the list of accepted ones, and runs nothing.
package vulnerabilities

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Finding is a vulnerability in code that ours calls.
type Finding struct {
	// ID is the entry's in the Go vulnerability database, Module what it is in and Version the one in use. Fixed is the
	// first version without it; empty when there is none.
	ID, Module, Version, Fixed string
}

// Accepted is a finding that stays, with the reason.
type Accepted struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// ReadAccepted reads the list of accepted vulnerabilities. Each entry needs a reason.
func ReadAccepted(document []byte) ([]Accepted, error) {
	var list struct {
		Accepted []Accepted `json:"accepted"`
	}
	if err := yaml.UnmarshalStrict(document, &list); err != nil {
		return nil, fmt.Errorf("read what is accepted: %w", err)
	}
	for _, entry := range list.Accepted {
		if !strings.HasPrefix(entry.ID, "GO-") || strings.TrimSpace(entry.Reason) == "" {
			return nil, fmt.Errorf("accepted entry %q has no id such as GO-2026-0001, or no reason", entry.ID)
		}
	}
	return list.Accepted, nil
}

// Read returns the vulnerabilities that the code calls, each once, from the report of `govulncheck -format json`.
func Read(report io.Reader) ([]Finding, error) {
	decoder := json.NewDecoder(report)
	seen := map[string]bool{}
	var findings []Finding
	for {
		var message struct {
			Finding *struct {
				OSV   string `json:"osv"`
				Fixed string `json:"fixed_version"`
				Trace []struct {
					Module   string `json:"module"`
					Version  string `json:"version"`
					Function string `json:"function"`
				} `json:"trace"`
			} `json:"finding"`
		}
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.ID, b.ID) })
			return findings, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the report of govulncheck: %w", err)
		}
		one := message.Finding
		// Without a function the vulnerable code is required or imported, and not called.
		if one == nil || len(one.Trace) == 0 || one.Trace[0].Function == "" || seen[one.OSV] {
			continue
		}
		seen[one.OSV] = true
		findings = append(findings, Finding{ID: one.OSV, Module: one.Trace[0].Module, Version: one.Trace[0].Version,
			Fixed: one.Fixed})
	}
}

// Judge prints the accepted findings with their reasons and fails for the others. It also prints an accepted entry
// that is no longer found: for the standard library, another Go version may still have it.
func Judge(findings []Finding, accepted []Accepted, say func(string)) error {
	var open []string
	unused := slices.Clone(accepted)
	for _, finding := range findings {
		at := slices.IndexFunc(accepted, func(entry Accepted) bool { return entry.ID == finding.ID })
		text := fmt.Sprintf("%s in %s %s (fixed in %s)", finding.ID, finding.Module, finding.Version,
			orNothing(finding.Fixed))
		if at < 0 {
			open = append(open, text)
			continue
		}
		unused = slices.DeleteFunc(unused, func(entry Accepted) bool { return entry.ID == finding.ID })
		say("accepted: " + text + ": " + accepted[at].Reason)
	}
	for _, entry := range unused {
		say("not found here any more: " + entry.ID)
	}
	if len(open) > 0 {
		return fmt.Errorf("the code calls vulnerable functions; update their modules, or accept it with a reason in "+
			".govulncheck.yaml:\n  %s", strings.Join(open, "\n  "))
	}
	return nil
}

func orNothing(version string) string {
	if version == "" {
		return "nothing yet"
	}
	return version
}
