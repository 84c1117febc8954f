package command

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// The webhook's token and the numbers go over TLS where the guard has a certificate, also one that was renewed.
func TestTheGuardServesByTLS(t *testing.T) {
	dir, authority := t.TempDir(), testkit.NewAuthority(t)
	flags := guardFlags{tlsCertFile: filepath.Join(dir, "tls.crt"), tlsKeyFile: filepath.Join(dir, "tls.key")}
	renew := func(name string) {
		t.Helper()
		certificate, key := authority.Issue(t, name)
		for file, text := range map[string]string{flags.tlsCertFile: certificate, flags.tlsKeyFile: key} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := flags.tls(nil); err == nil {
		t.Error("a certificate that is not there is no error")
	}
	renew("first.example")
	config, err := flags.tls(nil)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Addr: address, ReadHeaderTimeout: time.Second, TLSConfig: config,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveAndWatch(ctx, server, watcher(t, nil)) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(authority.PEM))
	ask := func(name string) error {
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}}}
		answer, err := client.Get("https://" + address)
		if err == nil {
			err = answer.Body.Close()
		}
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ask("first.example") != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(ask("first.example"))
		}
	}
	renew("second.example")
	if err := ask("second.example"); err != nil {
		t.Errorf("after the certificate was renewed: %v", err)
	}
	if answer, err := http.Get("http://" + address); err == nil {
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("by plain HTTP it answers %s", answer.Status)
		}
	}
}

func TestHalfOfACertificate(t *testing.T) {
	usage := func(err error) error { return errors.Join(errors.New("usage"), err) }
	for _, flags := range []guardFlags{{tlsCertFile: "x"}, {tlsKeyFile: "x"}} {
		if _, err := flags.tls(usage); err == nil || !strings.Contains(err.Error(), "belong together") {
			t.Errorf("%v", err)
		}
	}
	if config, err := (&guardFlags{}).tls(usage); config != nil || err != nil {
		t.Errorf("without a certificate: %v, %v", config, err)
	}
}
