package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/admission"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func admissionCommand() *cobra.Command {
	var flags common
	var users, groups []string
	cmd := &cobra.Command{
		Use:   "admission",
		Short: "Print admission policies that let only named accounts change a rollout",
		Long: "Print ValidatingAdmissionPolicies for the stack's namespace, as a manifest. In force, they let only the\n" +
			"named accounts and the guard write the ledger and what else the rollout remembers, change the tracks, the\n" +
			"guard, their number of pods, where the Services lead and a route's weights, or give a pod the labels by which\n" +
			"it gets requests. They limit the guard to what a rollback does. The cluster's own controllers are left alone.\n\n" +
			"Those who deploy must not be able to change them: an administrator of the cluster applies them. They\n" +
			"need Kubernetes 1.30 or newer. --user and --group are the API server's names for who runs `pulumi up` and\n" +
			"`rollout`: `kubectl auth whoami` tells one's own.",
		Example: "  rollout admission -s production --user system:serviceaccount:deploy:deployer \\\n" +
			"    --group finance-oncall | kubectl apply -f -",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(users)+len(groups) == 0 {
				return terminal.Usage(errors.New("--user or --group is missing: with nobody named, the next `pulumi up` " +
					"is refused"))
			}
			stack, output, err := flags.open(cmd)
			if err != nil {
				return err
			}
			s := stack.Settings
			protected := admission.Rollout{Namespace: s.Namespace, App: s.App, Service: s.ServiceName, Route: s.RouteName(),
				Users: users, Groups: groups}
			list, err := protected.List()
			if err != nil {
				return terminal.Usage(err)
			}
			text, err := protected.YAML()
			if err != nil {
				return err
			}
			return output.Print(list, func(terminal.Style) string { return text })
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringArrayVar(&users, "user", nil, "an account that rolls out, by its user name; repeat it for more")
	cmd.Flags().StringArrayVar(&groups, "group", nil, "a group whose accounts roll out; repeat it for more")
	return cmd
}
