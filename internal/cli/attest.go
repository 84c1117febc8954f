package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// attestationName is what an attestation may be called.
var attestationName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// usualAttestations are those that the checklist asks for.
func usualAttestations() []string {
	return []string{"security-audit", "database-backup", "eventstore-backup", "sign-off"}
}

func attestCommand() *cobra.Command {
	var flags common
	var link, note, until string
	cmd := &cobra.Command{
		Use:   "attest [NAME]",
		Short: "Record what no program can see: an audit, a backup, a sign-off",
		Long: "Record what no program can see in the rollout's ledger, with who, when and until when.\n\n" +
			"Without a name it lists what was attested. The checklist of `rollout preflight` asks for security-audit,\n" +
			"database-backup, eventstore-backup and sign-off; any other name is kept as well.",
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
				return terminal.Usage(errors.New("name what is attested, for example security-audit"))
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
			if err := s.canaries(); err != nil {
				return err
			}
			if entry.Name == "" {
				return s.listAttestations(cmd.Context())
			}
			return s.attest(cmd.Context(), entry)
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&link, "ref", "", "where it is written down: an address, a number, the name of a snapshot "+
		"(required)")
	cmd.Flags().StringVar(&note, "note", "", "what was found, for example the score and the open findings")
	cmd.Flags().StringVar(&until, "until", "", "how long it holds: a duration such as 7d or 12h, or a time such as "+
		"2026-04-01; empty for without end")
	return cmd
}

// checkAttestation says what is wrong with an attestation, and reads how long it holds.
func checkAttestation(entry *ledger.Entry, until string, now time.Time) error {
	if !attestationName.MatchString(entry.Name) {
		return fmt.Errorf("name %q: allowed are small letters, digits and -, beginning with a letter", entry.Name)
	}
	if entry.Link == "" {
		return errors.New("--ref is missing: where is it written down?")
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

// parseUntil reads a duration from now, a day or a time.
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
	entry.Who = s.who
	written, err := ledger.Write(ctx, s.store(), s.now, entry)
	if err != nil {
		return err
	}
	made, _ := written.Attestation(entry.Name)
	return s.output.Print(made, func(style terminal.Style) string {
		return style.Good(fmt.Sprintf("entry %d: %s", made.Seq, made.Describe()))
	})
}

func (s *session) listAttestations(ctx context.Context) error {
	history, err := ledger.Read(ctx, s.store())
	if err != nil {
		return err
	}
	list := history.Attestations()
	return s.output.Print(list, func(style terminal.Style) string {
		if len(list) == 0 {
			return "nothing is attested"
		}
		var rows [][]string
		for _, entry := range list {
			holds, ends := style.Good("yes"), "without end"
			if !entry.Holds(s.now()) {
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
