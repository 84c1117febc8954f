package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// usualAttestations are the attestations on the checklist.
func usualAttestations() []string {
	return []string{"security-audit", "database-backup", "eventstore-backup", "sign-off"}
}

func attestCommand() *cobra.Command {
	var flags common
	var link, note, until string
	cmd := &cobra.Command{
		Use:   "attest [NAME]",
		Short: "Record an audit, a backup or a sign-off in the ledger",
		Long: "Record a fact that no program can check in the rollout's ledger, with who, when and until when.\n\n" +
			"Without a name the command lists the attestations. The checklist of `rollout preflight` asks for " +
			"security-audit,\n" +
			"database-backup, eventstore-backup and sign-off; other names are recorded as well.",
		Example: "  rollout attest security-audit -s production --ref https://wiki/audits/2026-03 --note \"score 92, no " +
			"open findings\" --until 30d\n" +
			"  rollout attest -s production",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return terminal.Usage(fmt.Errorf("%s takes one name, got %q", cmd.CommandPath(), args))
			}
			return nil
		},
		ValidArgs: usualAttestations(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && (link != "" || note != "") {
				return terminal.Usage(errors.New("the name of the attestation is missing, for example security-audit"))
			}
			entry := ledger.Entry{Kind: ledger.Attested, Link: strings.TrimSpace(link), Reason: strings.TrimSpace(note)}
			if len(args) == 1 {
				entry.Name = args[0]
				if err := checkAttestation(&entry, until, time.Now()); err != nil {
					return terminal.Usage(err)
				}
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			if err := s.requireCanary(); err != nil {
				return err
			}
			if entry.Name == "" {
				return s.listAttestations(cmd.Context())
			}
			return s.attest(cmd.Context(), entry)
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&link, "ref", "", "reference to the record: an address, a number, the name of a snapshot "+
		"(required)")
	cmd.Flags().StringVar(&note, "note", "", "note, for example the score and the open findings")
	cmd.Flags().StringVar(&until, "until", "", "end of its validity: a duration such as 7d or 12h, a day such as "+
		"2026-04-01, or a time; omit for no expiry")
	return cmd
}

// checkAttestation checks an attestation and sets the end of its validity.
func checkAttestation(entry *ledger.Entry, until string, now time.Time) error {
	if !names.IsAttestation(entry.Name) {
		return fmt.Errorf("name %q: allowed are lower-case letters, digits and -, starting with a letter", entry.Name)
	}
	if entry.Link == "" {
		return errors.New("--ref is missing: pass the address or number of the record")
	}
	if until == "" {
		return nil
	}
	end, err := parseUntil(until, now)
	if err != nil {
		return err
	}
	if !end.After(now) {
		return fmt.Errorf("--until %s is not in the future", until)
	}
	entry.Until = &end
	return nil
}

// parseUntil parses a duration from now, a day or a time.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if duration, err := model.ParseDuration(text); err == nil {
		return now.Add(time.Duration(duration)).UTC().Truncate(time.Second), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if end, err := time.Parse(layout, text); err == nil {
			return end.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("--until %q: allowed are a duration such as 7d or 12h, a day such as 2026-04-01, or "+
		"a time such as 2026-04-01T12:00:00Z", text)
}

func (s *session) attest(ctx context.Context, entry ledger.Entry) error {
	entry.Who = s.Who
	written, err := ledger.Write(ctx, s.Ledger(), s.Clock.Now, entry)
	if err != nil {
		return err
	}
	recorded, _ := written.Attestation(entry.Name)
	return s.output.Print(recorded, func(style terminal.Style) string {
		return style.Good(fmt.Sprintf("entry %d: %s", recorded.Seq, recorded.Describe()))
	})
}

func (s *session) listAttestations(ctx context.Context) error {
	history, err := ledger.Read(ctx, s.Ledger())
	if err != nil {
		return err
	}
	list := history.Attestations()
	return s.output.Print(list, func(style terminal.Style) string {
		if len(list) == 0 {
			return "no attestations"
		}
		var rows [][]string
		for _, entry := range list {
			holds, ends := style.Good("yes"), "no expiry"
			if !entry.Holds(s.Clock.Now()) {
				holds = style.Bad("no")
			}
			if entry.Until != nil {
				ends = entry.Until.Format(time.RFC3339)
			}
			rows = append(rows, []string{entry.Name, holds, ends, entry.Who, entry.Time.Format(time.RFC3339), entry.Link,
				entry.Reason})
		}
		return terminal.Table([]string{"NAME", "HOLDS", "UNTIL", "WHO", "WHEN", "REF", "NOTE"}, rows)
	})
}
