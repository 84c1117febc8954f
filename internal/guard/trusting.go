package guard

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// trusting checks the pods' certificates by those of a file. It reads the file again when it changes: the kubelet
// exchanges it with the ConfigMap that it comes from, and an authority's certificate ends before the guard does.
type trusting struct {
	file string
	base *tls.Config
	way  func(*tls.Config) *http.Transport

	mu sync.Mutex
	// modified is the file's time, and current the transport with what it held then; nil before the first request.
	modified time.Time
	current  *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (t *trusting) RoundTrip(request *http.Request) (*http.Response, error) {
	transport, err := t.transport()
	if err != nil {
		return nil, fmt.Errorf("the authorities of metrics.tls.ca: %w", err)
	}
	return transport.RoundTrip(request)
}

func (t *trusting) transport() (*http.Transport, error) {
	info, err := os.Stat(t.file)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && info.ModTime().Equal(t.modified) {
		return t.current, nil
	}
	text, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	config := t.base.Clone()
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", t.file)
	}
	if t.current != nil {
		t.current.CloseIdleConnections()
	}
	t.modified, t.current = info.ModTime(), t.way(config)
	return t.current, nil
}
