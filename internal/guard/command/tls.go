package command

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// tls is how the guard serves; nil for plain HTTP. The certificate is read for every connection: one that was renewed
// counts at once.
func (f *guardFlags) tls(usage func(error) error) (*tls.Config, error) {
	if f.tlsCertFile == "" && f.tlsKeyFile == "" {
		return nil, nil
	}
	if f.tlsCertFile == "" || f.tlsKeyFile == "" {
		return nil, usage(errors.New("--tls-cert-file and --tls-key-file belong together: set both, or neither"))
	}
	read := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.tlsCertFile, f.tlsKeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate: %w", err)
		}
		return &pair, nil
	}
	// A guard without its certificate serves nobody: better now than when it is needed.
	if _, err := read(nil); err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: read, MinVersion: tls.VersionTLS12}, nil
}
