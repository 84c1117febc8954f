package certs

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, now time.Time) *Authority {
	t.Helper()
	authority, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func issue(t *testing.T, authority *Authority, req Request) *x509.Certificate {
	t.Helper()
	pair, err := authority.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := cert.CertsFromFile(pair.Cert)
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

func TestIssueIsTrustedForItsNamesOnly(t *testing.T) {
	dir := t.TempDir()
	got := issue(t, open(t, dir, now), Request{
		Name: "apiserver", CommonName: "kube-apiserver", Organizations: []string{"system:masters"},
		DNSNames: []string{"kubernetes.default"}, IPs: []net.IP{net.ParseIP("10.0.0.1")},
	})
	pool, err := cert.NewPool(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	for name, trusted := range map[string]bool{"kubernetes.default": true, "10.0.0.1": true, "10.0.0.2": false,
		"example.com": false} {
		_, err := got.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: now})
		if (err == nil) != trusted {
			t.Errorf("%s: trusted: %t, want %t (%v)", name, err == nil, trusted, err)
		}
	}
	if got.Subject.CommonName != "kube-apiserver" || got.Subject.Organization[0] != "system:masters" {
		t.Errorf("subject %s", got.Subject)
	}
}

func TestIssueKeepsWhatIsStillRight(t *testing.T) {
	dir := t.TempDir()
	req := Request{Name: "x", CommonName: "x", IPs: []net.IP{net.ParseIP("127.0.0.1")}}
	first := issue(t, open(t, dir, now), req)
	if again := issue(t, open(t, dir, now.Add(time.Hour)), req); !again.Equal(first) {
		t.Error("an unchanged request got a new certificate")
	}
	wider := req
	wider.IPs = append(wider.IPs, net.ParseIP("127.0.0.2"))
	if changed := issue(t, open(t, dir, now), wider); changed.Equal(first) {
		t.Error("a request for another address got the old certificate")
	}
	if late := issue(t, open(t, dir, now.Add(2*lifetime)), wider); late.NotAfter.Before(now.Add(2 * lifetime)) {
		t.Error("an expired certificate was kept")
	}
}

func TestOpenRecoversFromABrokenAuthority(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, now)
	if err := os.WriteFile(filepath.Join(dir, "ca.key"), []byte("cut of"), 0o600); err != nil {
		t.Fatal(err)
	}
	req := Request{Name: "x", CommonName: "x"}
	got := issue(t, open(t, dir, now), req)
	authority, err := cert.CertsFromFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := got.CheckSignatureFrom(authority[0]); err != nil {
		t.Errorf("the certificate is not from the authority on disk: %v", err)
	}
}

func TestSigningKeyIsKept(t *testing.T) {
	authority := open(t, t.TempDir(), now)
	read := func() string {
		t.Helper()
		private, public, err := authority.SigningKey("sa")
		if err != nil {
			t.Fatal(err)
		}
		a, errA := os.ReadFile(private)
		b, errB := os.ReadFile(public)
		if errA != nil || errB != nil || len(a) == 0 || len(b) == 0 {
			t.Fatalf("key files: %v, %v", errA, errB)
		}
		return string(a) + string(b)
	}
	if first, second := read(), read(); first != second {
		t.Error("the key changed: tokens would become invalid")
	}
}

func TestKubeconfigIsCompleteAndPrivate(t *testing.T) {
	dir := t.TempDir()
	authority := open(t, dir, now)
	pair, err := authority.Issue(Request{Name: "admin", CommonName: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := authority.Kubeconfig(path, "local", "https://127.0.0.1:1", pair); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:1" || len(config.CAData) == 0 || len(config.CertData) == 0 ||
		len(config.KeyData) == 0 {
		t.Errorf("the kubeconfig for %s lacks something", config.Host)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600: it holds a key", info.Mode().Perm())
	}
}
