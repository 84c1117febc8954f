package images

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsFile is where Go, like OpenSSL on Debian, looks for the certificates of authorities.
const rootsFile = "/etc/ssl/certs/ca-certificates.crt"

// roots are the certificates of the authorities that Mozilla trusts, as PEM. They come from a Go module and not from
// the building machine, so that the same sources always give the same image. An authority that is trusted under a
// condition is left out, because the file cannot hold the condition.
func roots() ([]byte, error) {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}
