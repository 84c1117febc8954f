package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Check the ledger of a rollout, or go on without entries that it has lost",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(ledgerVerifyCommand(), ledgerAcceptCommand())
	return cmd
}

func ledgerVerifyCommand() *cobra.Command {
	var flags common
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the ledger's checksums, and its end against what the release record and the stack remember",
		Long: "Check the checksums of the ledger, and compare its end with the heads that the release record in\n" +
			"the cluster and the stack's outputs keep. A ledger whose last entries were cut off, that was deleted, or that\n" +
			"an older copy replaced does not go on from them. Exit code 1 tells of one.\n\n" +
			"The checksums have no key: who may write the ledger, the release record and the stack's state can\n" +
			"forge all three. Where `ledger.publicKeys` names keys, the signature of one of them is demanded as well.",
		Example: "  rollout ledger verify -s production",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.verifyLedger(cmd.Context())
		},
	}
	flags.bind(cmd)
	return cmd
}

func ledgerAcceptCommand() *cobra.Command {
	var flags common
	var reason string
	var yes bool
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "Go on with a ledger that has lost entries",
		Long: "Go on with a ledger that has lost entries, with a reason that it keeps. Upward moves are possible\n" +
			"again then.\n\nWhat was lost stays lost: latches among it are open, and soaks are forgotten. Restore the\n" +
			"ledger's ConfigMap from a backup instead where there is one.",
		Example: "  rollout ledger accept -s production --reason \"the namespace was made anew\"",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(reason) == "" {
				return terminal.Usage(errors.New("--reason is missing: lost entries are only accepted with a reason"))
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.acceptLedger(cmd.Context(), strings.TrimSpace(reason), yes)
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why it is right to go on (required)")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

// verifiedLedger is the outcome for programs.
type verifiedLedger struct {
	InOrder bool        `json:"inOrder"`
	Entries int         `json:"entries"`
	Head    ledger.Head `json:"head"`
	// Lost is the end that the ledger had, where it does not go on from it.
	Lost *ledger.Head `json:"lost,omitempty"`
	// Signed is whether a trusted key has signed it, and is left out where no key is trusted. Unsigned says why it is not.
	Signed   *bool  `json:"signed,omitempty"`
	Unsigned string `json:"unsigned,omitempty"`
	// Latched are the images that the ledger keeps out.
	Latched []string `json:"latched"`
}

// recall lets the ledger be compared with the stack's outputs as well. Without the Pulumi CLI, or a login, the release
// record alone is compared, which the command says.
func (s *session) recall(ctx context.Context) {
	outputs, err := s.stack.OutputsOf(ctx, s.stack.Name)
	if err == nil {
		text, _ := outputs["ledgerHead"].(string)
		s.Remembered, err = ledger.ParseHead(text)
	}
	if err != nil {
		s.report("warning: the ledger is not compared with the stack's outputs: " + err.Error())
	}
}

// compareLedger reads the ledger, and the head that it lost by the release record and the stack's outputs, if it lost
// any.
func (s *session) compareLedger(ctx context.Context) (*ledger.Ledger, ledger.Head, bool, error) {
	if err := s.requireCanary(); err != nil {
		return nil, ledger.Head{}, false, err
	}
	s.recall(ctx)
	return ledger.Lost(ctx, s.Ledger())
}

func (s *session) verifyLedger(ctx context.Context) error {
	history, lost, is, err := s.compareLedger(ctx)
	if err != nil {
		return err
	}
	outcome := verifiedLedger{InOrder: !is, Entries: len(history.Entries()), Head: history.Head(),
		Latched: latchedImages(history)}
	if is {
		outcome.Lost = &lost
	}
	if store := s.Ledger(); ledger.IsSigned(store) {
		err := ledger.Unsigned(ctx, store)
		if err != nil && !errors.Is(err, ledger.ErrUnsigned) {
			return err
		}
		signed := err == nil
		outcome.Signed, outcome.InOrder = &signed, outcome.InOrder && signed
		if err != nil {
			outcome.Unsigned = err.Error()
		}
	}
	err = s.output.Print(outcome, func(style terminal.Style) string { return s.describeLedger(style, outcome) })
	if err == nil && !outcome.InOrder {
		return terminal.ErrNotInOrder
	}
	return err
}

// describeLedger is the outcome for people.
func (s *session) describeLedger(style terminal.Style, outcome verifiedLedger) string {
	latched := "no image is latched"
	if len(outcome.Latched) > 0 {
		latched = "latched are " + strings.Join(outcome.Latched, ", ")
	}
	switch {
	case outcome.Lost != nil:
		return style.Bad(fmt.Sprintf("the ledger has lost entries: it had number %d, and ends with number %d, or earlier "+
			"entries are others than they were; of what is left, %s", outcome.Lost.Seq, outcome.Head.Seq, latched)) +
			fmt.Sprintf("\nrestore ConfigMap %s/%s from a backup, or go on on purpose: rollout ledger accept --reason WHY -s %s",
				s.Settings.Namespace, names.Ledger(s.Settings.App), s.stack.Name)
	case outcome.Unsigned != "":
		return style.Bad(outcome.Unsigned)
	}
	signed := ""
	if outcome.Signed != nil {
		signed = ", it is signed by a trusted key"
	}
	return style.Good(fmt.Sprintf("the ledger is in order: %d entries up to number %d, every checksum fits, and it "+
		"goes on from the heads that are kept outside of it%s; %s", outcome.Entries, outcome.Head.Seq, signed, latched))
}

// latchedImages are the images that a ledger keeps out, with the numbers of their latches, sorted.
func latchedImages(history *ledger.Ledger) []string {
	state, seen := history.State(), map[string]bool{}
	list := []string{}
	for _, entry := range history.Entries() {
		latch, latched := state.Latch(entry.Image)
		if latched && !seen[entry.Image] {
			seen[entry.Image] = true
			list = append(list, fmt.Sprintf("%s (entry %d)", entry.Image, latch.Seq))
		}
	}
	slices.Sort(list)
	return list
}

func (s *session) acceptLedger(ctx context.Context, reason string, yes bool) error {
	history, lost, is, err := s.compareLedger(ctx)
	if err != nil {
		return err
	}
	unsigned := ledger.Unsigned(ctx, s.Ledger())
	if !is && unsigned == nil {
		return terminal.Usage(fmt.Errorf("the ledger has lost nothing, so there is nothing to accept: rollout ledger verify "+
			"-s %s", s.stack.Name))
	}
	question := fmt.Sprintf("The ledger of %s had entry %d and ends with entry %d. Latches among the lost entries are "+
		"open.\nGo on, because: %s?", s.Settings.Namespace, lost.Seq, history.Head().Seq, reason)
	accepted := ledger.Entry{Kind: ledger.Accepted, Who: s.Who, Reason: reason, Lost: &lost}
	if !is {
		lost, accepted.Name = history.Head(), ledger.MissingSignature
		question = fmt.Sprintf("No trusted key has signed the ledger of %s, so that any of its %d entries may be forged.\n"+
			"Sign it, because: %s?", s.Settings.Namespace, len(history.Entries()), reason)
	}
	if err := s.confirm(ctx, yes, question); err != nil {
		return err
	}
	release, err := s.lock(ctx, "ledger accept", false)
	if err != nil {
		return err
	}
	defer release()
	return s.noteAccepted(ctx, accepted, is)
}

// noteAccepted writes the entry. A ledger that had lost entries and was restored meanwhile needs none.
func (s *session) noteAccepted(ctx context.Context, entry ledger.Entry, isCut bool) error {
	written, err := ledger.Append(ctx, s.Ledger(), s.Clock.Now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		if isCut && current.Follows(*entry.Lost) == nil {
			return nil, errors.New("the ledger was restored meanwhile: nothing is accepted")
		}
		return []ledger.Entry{entry}, nil
	})
	if err != nil {
		return err
	}
	entries := written.Entries()
	noted := entries[len(entries)-1]
	return s.output.Print(noted, func(style terminal.Style) string {
		return style.Good(fmt.Sprintf("entry %d: %s", noted.Seq, noted.Describe()))
	})
}
