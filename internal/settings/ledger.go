package settings

import (
	"crypto/ed25519"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/signature"
)

// Ledger says who vouches for the ledger. Without keys it is not signed.
type Ledger struct {
	// PublicKeys are the keys whose signature counts: the public parts of those below, and of earlier ones.
	PublicKeys []string `json:"publicKeys"`
	// SigningKey is the key of updates and commands, GuardKey that of the guard, whose pods hold it. Neither becomes a
	// Secret of the service's pods.
	SigningKey SecretRef `json:"signingKey"`
	GuardKey   SecretRef `json:"guardKey"`
}

// TrustedKeys are the keys whose signature of the ledger counts; none where it is not signed.
func (s *Settings) TrustedKeys() []ed25519.PublicKey {
	// What is no key was refused when the settings were read.
	keys, _ := signature.ParsePublics(s.Ledger.PublicKeys)
	return keys
}

// ledgerUses are the references to the ledger's keys.
func (s *Settings) ledgerUses() []secretUse {
	var uses []secretUse
	for _, use := range []secretUse{{"ledger.signingKey", s.Ledger.SigningKey}, {"ledger.guardKey", s.Ledger.GuardKey}} {
		if use.ref != (SecretRef{}) {
			uses = append(uses, use)
		}
	}
	return uses
}

func (s *Settings) validateLedger(errs *problems) {
	for i, text := range s.Ledger.PublicKeys {
		if _, err := signature.ParsePublic(text); err != nil {
			key := fmt.Sprintf("ledger.publicKeys[%d]", i)
			errs.add(key, "", errs.setPath("'"+key+"'", "BASE64"), "%s", err)
		}
	}
	isSigned := len(s.Ledger.PublicKeys) > 0
	for _, use := range s.ledgerUses() {
		if !isSigned {
			errs.add("ledger.publicKeys", "", errs.setPath("'ledger.publicKeys[0]'", "BASE64"),
				"missing; %s signs, and nothing would look at it", use.by)
		}
		if value, ok := s.Secret(use.ref); ok && value.Reveal() != hidden {
			if _, err := signature.ParsePrivate(value.Reveal()); err != nil {
				path := "secrets." + use.ref.Secret + "." + use.ref.Key
				errs.add(path, "", errs.setSecret(path), "%s", err)
			}
		}
	}
	if isSigned && s.Ledger.SigningKey == (SecretRef{}) {
		errs.add("ledger.signingKey", "", errs.setPath("ledger.signingKey", "ledger/operator"),
			"missing; nothing could be noted without it")
	}
	if isSigned && s.IsGuarded() && s.Ledger.GuardKey == (SecretRef{}) {
		errs.add("ledger.guardKey", "", errs.setPath("ledger.guardKey", "ledger/guard"),
			"missing; what the guard notes would count for nothing")
	}
	if s.Ledger.GuardKey != (SecretRef{}) && s.Ledger.GuardKey == s.Ledger.SigningKey {
		errs.add("ledger.guardKey", s.Ledger.GuardKey.String(), errs.setPath("ledger.guardKey", "ledger/guard"),
			"it is ledger.signingKey, which would lie in the cluster then: make one of its own")
	}
}
