package signature

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
)

// texts are a key as PEM and as base64, as openssl writes them.
func texts(t *testing.T, private, public any) (privateText, publicText string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		base64.StdEncoding.EncodeToString(der)
}

func TestAKeySignsAndItsPublicPartVerifies(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	privateText, publicText := texts(t, private, public)
	key, err := ParsePrivate("\n" + privateText + "\n")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := ParsePublics([]string{publicText[:20] + "\n " + publicText[20:]})
	if err != nil {
		t.Fatal(err)
	}
	signed := Sign(key, "text")
	if !Verify(trusted, "text", signed) {
		t.Error("its own signature is refused")
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, is := range map[string]bool{
		"another text": Verify(trusted, "text ", signed), "another key": Verify([]ed25519.PublicKey{other}, "text", signed),
		"no key": Verify(nil, "text", signed), "no signature": Verify(trusted, "text", ""),
		"no base64": Verify(trusted, "text", "%"), "a part of it": Verify(trusted, "text", signed[:40]),
	} {
		if is {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestTextsThatAreNoKeys(t *testing.T) {
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	privateText, publicText := texts(t, foreign, foreign.Public())
	const broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	for _, text := range []string{"", "s3cr3t-value", privateText, broken, privateText + privateText} {
		if _, err := ParsePrivate(text); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("a private key: %v", err)
		}
	}
	for _, text := range []string{"", "%", "s3cr3t", publicText} {
		if _, err := ParsePublics([]string{text}); err == nil {
			t.Errorf("%q is taken for a public key", text)
		}
	}
}
