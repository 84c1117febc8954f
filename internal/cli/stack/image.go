package stack

import (
	"context"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/image"
	"github.com/vextrus/finance-rollout/internal/names"
)

// Registry returns the credentials for the stack's registry. The Pulumi CLI decrypts the password. Without
// configured credentials the result is empty, and those of the container tools apply.
func (s *Stack) Registry(ctx context.Context) (image.Options, error) {
	options := image.Options{Username: s.Settings.Registry.Username}
	if s.Settings.Registry.Password == "" {
		return options, nil
	}
	withSecrets, err := s.WithSecrets(ctx)
	if err != nil {
		return options, fmt.Errorf("the registry's password: %w", err)
	}
	options.Password = withSecrets.Registry.Password.Reveal()
	return options, nil
}

// Verified returns the digest that the stack recorded in its cluster after its gate passed, empty when there is none.
func (s *Stack) Verified(ctx context.Context) (string, error) {
	cluster, err := s.Connect(ctx)
	if err != nil {
		return "", err
	}
	record, version, err := cluster.ConfigMap(ctx, s.Settings.Namespace, names.Record(s.Settings.App))
	if err != nil || version == "" {
		return "", err
	}
	digest := names.Digest(record["image"])
	if digest == "" {
		return "", fmt.Errorf("the record of stack %s has no digest", s.Name)
	}
	return digest, nil
}

// VerifiedBy returns the digest that another stack of the project has verified, as [Stack.Verified] does.
func (s *Stack) VerifiedBy(ctx context.Context, name string) (string, error) {
	if of := projectOf(name); of != "" && of != s.Project {
		return "", fmt.Errorf("stack %s belongs to another project: compare with `pulumi stack output verifiedImage -s %s`",
			name, name)
	}
	sibling, err := s.Sibling(ctx, name)
	if err != nil {
		return "", fmt.Errorf("config staging.stack: %w", err)
	}
	return sibling.Verified(ctx)
}
