package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func approveCommand() *cobra.Command {
	var flags common
	var to int
	var finish bool
	var note string
	cmd := &cobra.Command{
		Use:   "approve",
		Short: "Let the release into a stage that needs a person's word",
		Long: "Let the release on trial into the next stage of advance.approval, or into the one of --to, or let it " +
			"finish, and\nrecord it in the ledger. The approval is for this image alone, and ends when its weight goes down " +
			"or it is rolled back. The\ncommand moves nothing: the next update may, if the advance gate has nothing else " +
			"against it.",
		Example: "  rollout approve -s production --note \"figures of week 2 reviewed\"\n" +
			"  rollout approve --to 60 -s production\n" +
			"  rollout approve --finish -s production",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			if err := s.requireCanary(); err != nil {
				return err
			}
			switch given := cmd.Flags().Changed("to"); {
			case given && finish:
				return terminal.Usage(errors.New("--to and --finish exclude each other: the finish has no weight"))
			case given && to < 1:
				return terminal.Usage(fmt.Errorf("--to %d: allowed is the weight of a stage of advance.approval", to))
			case finish:
				to = settings.FinishApproval
			case !given:
				to = nextApproval
			}
			return s.approve(cmd.Context(), to, strings.TrimSpace(note))
		},
	}
	flags.bind(cmd)
	cmd.Flags().IntVar(&to, "to", 0, "weight of the stage in percent; omit for the next one that needs an approval")
	cmd.Flags().BoolVar(&finish, "finish", false, "approve the finish, for which 0 stands in advance.approval")
	cmd.Flags().StringVar(&note, "note", "", "note, for example what was looked at")
	return cmd
}

// nextApproval is the weight that stands for the next stage that needs an approval.
const nextApproval = -1

// approve records the approval of the next move's image for a stage.
func (s *session) approve(ctx context.Context, to int, note string) error {
	history, err := s.history(ctx)
	if err != nil {
		return err
	}
	state := history.State()
	if to, err = s.approvable(state, to); err != nil {
		return terminal.Usage(err)
	}
	image, err := s.operation().Canary(ctx, state)
	if err != nil {
		return err
	}
	if entry, approved := state.Approval(image, to); approved {
		return s.output.Print(entry, func(terminal.Style) string {
			return fmt.Sprintf("entry %d, approved already: %s", entry.Seq, entry.Describe())
		})
	}
	written, err := ledger.Write(ctx, s.Ledger(), s.Clock.Now, ledger.Entry{Kind: ledger.Approved, Who: s.Who,
		Release: s.Settings.Release, Image: image, From: state.Weight, To: to, Reason: note})
	if err != nil {
		return err
	}
	entries := written.Entries()
	recorded := entries[len(entries)-1]
	return s.output.Print(recorded, func(style terminal.Style) string {
		return style.Good(fmt.Sprintf("entry %d: %s", recorded.Seq, recorded.Describe()))
	})
}

// approvable is the weight of a stage that can be approved now.
func (s *session) approvable(state ledger.State, to int) (int, error) {
	asked := s.Settings.Advance.Approval
	var ahead []int
	var stages []string
	for _, weight := range s.Settings.Stages {
		if weight > state.Weight && slices.Contains(asked, weight) {
			ahead, stages = append(ahead, weight), append(stages, fmt.Sprint(weight))
		}
	}
	if slices.Contains(asked, settings.FinishApproval) {
		ahead = append(ahead, settings.FinishApproval)
	}
	switch {
	case slices.Contains(ahead, to):
		return to, nil
	case len(asked) == 0:
		return 0, fmt.Errorf("no stage needs an approval: `pulumi config set --path 'advance.approval[0]' 60 -s %s` asks "+
			"for one", s.stack.Name)
	case len(ahead) == 0:
		return 0, fmt.Errorf("the rollout is at %d %%, and no stage above it needs an approval", state.Weight)
	case to == nextApproval:
		return ahead[0], nil
	case to == settings.FinishApproval:
		return 0, fmt.Errorf("--finish: the finish needs no approval: `pulumi config set --path "+
			"'advance.approval[%d]' 0 -s %s` asks for one", len(asked), s.stack.Name)
	default:
		return 0, fmt.Errorf("--to %d: allowed are the stages of advance.approval above %d %%: %s", to, state.Weight,
			strings.Join(stages, ", "))
	}
}
