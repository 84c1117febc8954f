// Package certs keeps the local cluster's certificate authority and everything that it signs: certificates, keys and
// kubeconfigs. It keeps files that are still valid. File names and subjects come from the caller.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const (
	lifetime = 10 * 365 * 24 * time.Hour
	// backdate keeps a certificate valid for parts whose clock is a little behind.
	backdate = time.Hour
)

// Authority is a certificate authority with its files in one directory.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
	now  time.Time
}

// Pair names the files of a certificate and its key.
type Pair struct {
	Cert, Key string
}

// Request describes a certificate. Every one may be used by both ends of a connection.
type Request struct {
	// Name is the file name without extension.
	Name string
	// CommonName is the user and Organizations are the groups that Kubernetes sees.
	CommonName    string
	Organizations []string
	DNSNames      []string
	IPs           []net.IP
}

// Open returns the authority whose files are in dir and makes one if there is none.
func Open(dir string, now time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, now: now}
	files := a.Pair("ca")
	if a.load(files) == nil {
		return a, nil
	}
	key, err := newKey(files.Key)
	if err != nil {
		return nil, err
	}
	authority, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "finance-rollout-local",
		NotBefore: now.Add(-backdate)}, key)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	if err := writeCert(files.Cert, authority); err != nil {
		return nil, err
	}
	a.cert, a.key = authority, key
	return a, nil
}

// load reads the authority's own files.
func (a *Authority) load(files Pair) error {
	certs, err := cert.CertsFromFile(files.Cert)
	if err != nil {
		return err
	}
	key, err := keyutil.PrivateKeyFromFile(files.Key)
	if err != nil {
		return err
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(certs[0].PublicKey) || a.now.After(certs[0].NotAfter) {
		return errors.New("certificate and key do not match, or have expired")
	}
	a.cert, a.key = certs[0], signer
	return nil
}

// Pair returns the file names that belong to a request's name; "ca" is the authority itself.
func (a *Authority) Pair(name string) Pair {
	return Pair{Cert: filepath.Join(a.dir, name+".crt"), Key: filepath.Join(a.dir, name+".key")}
}

// Issue makes the certificate, unless there is one that answers the request already.
func (a *Authority) Issue(req Request) (Pair, error) {
	files := a.Pair(req.Name)
	if a.current(files, req) {
		return files, nil
	}
	key, err := newKey(files.Key)
	if err != nil {
		return Pair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return Pair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: req.CommonName, Organization: req.Organizations},
		DNSNames:     req.DNSNames,
		IPAddresses:  req.IPs,
		NotBefore:    a.now.Add(-backdate),
		NotAfter:     a.now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("sign certificate %s: %w", req.Name, err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		return Pair{}, err
	}
	return files, writeCert(files.Cert, signed)
}

// current reports whether the files hold a valid certificate of this authority for the request.
func (a *Authority) current(files Pair, req Request) bool {
	certs, err := cert.CertsFromFile(files.Cert)
	if err != nil {
		return false
	}
	key, err := keyutil.PrivateKeyFromFile(files.Key)
	if err != nil {
		return false
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(certs[0].PublicKey) || certs[0].CheckSignatureFrom(a.cert) != nil {
		return false
	}
	for _, ip := range req.IPs {
		if certs[0].VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	for _, name := range req.DNSNames {
		if certs[0].VerifyHostname(name) != nil {
			return false
		}
	}
	return certs[0].Subject.CommonName == req.CommonName && a.now.Before(certs[0].NotAfter)
}

// SigningKey returns the files of a key pair, made if it does not exist, for signing service account tokens.
func (a *Authority) SigningKey(name string) (private, public string, err error) {
	private, public = filepath.Join(a.dir, name+".key"), filepath.Join(a.dir, name+".pub")
	parsed, err := keyutil.PrivateKeyFromFile(private)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		if key, err = newKey(private); err != nil {
			return "", "", err
		}
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", "", err
	}
	return private, public, writeFile(public, pem.EncodeToMemory(&pem.Block{Type: keyutil.PublicKeyBlockType, Bytes: der}),
		0o644)
}

// Kubeconfig writes a kubeconfig with the certificate inside, so that the file works from anywhere.
func (a *Authority) Kubeconfig(path, context, server string, pair Pair) error {
	config := clientcmdapi.NewConfig()
	cluster, user := clientcmdapi.NewCluster(), clientcmdapi.NewAuthInfo()
	cluster.Server = server
	var err error
	if cluster.CertificateAuthorityData, err = os.ReadFile(a.Pair("ca").Cert); err != nil {
		return err
	}
	if user.ClientCertificateData, err = os.ReadFile(pair.Cert); err != nil {
		return err
	}
	if user.ClientKeyData, err = os.ReadFile(pair.Key); err != nil {
		return err
	}
	entry := clientcmdapi.NewContext()
	entry.Cluster, entry.AuthInfo = context, context
	config.Clusters[context], config.AuthInfos[context], config.Contexts[context] = cluster, user, entry
	config.CurrentContext = context
	content, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return writeFile(path, content, 0o600)
}

func newKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeFile(path, pem.EncodeToMemory(&pem.Block{Type: keyutil.ECPrivateKeyBlockType, Bytes: der}), 0o600)
}

func writeCert(path string, certificate *x509.Certificate) error {
	content, err := cert.EncodeCertificates(certificate)
	if err != nil {
		return err
	}
	return writeFile(path, content, 0o644)
}

// writeFile replaces the file in one step, and only when its content changes.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(content) {
		return nil
	}
	if err := os.WriteFile(path+".tmp", content, mode); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
