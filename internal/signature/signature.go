// Package signature reads keys of Ed25519 as openssl writes them, and signs texts with them. It imports nothing of the
// module, and no error of it holds a key.
package signature

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
)

// Errors of texts that are no keys. They do not quote the text.
var (
	ErrPrivateKey = errors.New("no private key of Ed25519 as PEM: make one with `openssl genpkey -algorithm ed25519`")
	ErrPublicKey  = errors.New("no public key of Ed25519: allowed is what `openssl pkey -pubout -outform DER | base64` " +
		"prints")
)

// ParsePrivate reads a private key: PKCS #8 as PEM.
func ParsePrivate(text string) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, ErrPrivateKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, ErrPrivateKey
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, ErrPrivateKey
	}
	return key, nil
}

// ParsePublic reads a public key: its DER form in base64.
func ParsePublic(text string) (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, ErrPublicKey
	}
	parsed, err := x509.ParsePKIXPublicKey(raw)
	if err != nil {
		return nil, ErrPublicKey
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, ErrPublicKey
	}
	return key, nil
}

// ParsePublics reads public keys.
func ParsePublics(texts []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, text := range texts {
		key, err := ParsePublic(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Sign is the signature of a text.
func Sign(key ed25519.PrivateKey, text string) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
}

// Verify reports whether one of the keys has signed the text.
func Verify(trusted []ed25519.PublicKey, text, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	for _, key := range trusted {
		if ed25519.Verify(key, []byte(text), raw) {
			return true
		}
	}
	return false
}
