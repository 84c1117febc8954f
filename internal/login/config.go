package login

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// tokenLimit bounds a request for a token, which goes on when the request that needs the token has ended.
const tokenLimit = 30 * time.Second

// httpConfig is the part of Prometheus' http_config that a stack may set.
type httpConfig struct {
	Authorization *authorization    `json:"authorization"`
	BasicAuth     *basicAuth        `json:"basic_auth"`
	OAuth2        *oauth2Config     `json:"oauth2"`
	TLS           tlsConfig         `json:"tls_config"`
	Headers       map[string]values `json:"http_headers"`
	ProxyURL      string            `json:"proxy_url"`
}

type authorization struct {
	Type        string `json:"type"`
	Credentials string `json:"credentials"`
}

type basicAuth struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

type oauth2Config struct {
	ClientID       string            `json:"client_id"`
	ClientSecret   string            `json:"client_secret"`
	TokenURL       string            `json:"token_url"`
	Scopes         []string          `json:"scopes"`
	EndpointParams map[string]string `json:"endpoint_params"`
	TLS            tlsConfig         `json:"tls_config"`
	ProxyURL       string            `json:"proxy_url"`
}

type tlsConfig struct {
	CA                 string `json:"ca"`
	Cert               string `json:"cert"`
	Key                string `json:"key"`
	ServerName         string `json:"server_name"`
	InsecureSkipVerify bool   `json:"insecure_skip_verify"`
}

type values struct {
	Values  []string `json:"values"`
	Secrets []string `json:"secrets"`
}

// parse reads a document. The error does not quote it: it holds credentials.
func parse(document string) (httpConfig, error) {
	var parsed httpConfig
	if strings.TrimSpace(document) == "" {
		return parsed, nil
	}
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		return httpConfig{}, errors.New("it is not an http_config as Prometheus reads it")
	}
	return parsed, nil
}

// transport is the way to the server itself.
func (c httpConfig) transport() (http.RoundTripper, error) {
	base, err := newTransport(c.TLS, c.ProxyURL)
	if err != nil {
		return nil, err
	}
	next := http.RoundTripper(base)
	if c.OAuth2 != nil {
		if next, err = c.OAuth2.transport(base); err != nil {
			return nil, err
		}
	}
	headers := c.headers()
	switch {
	case c.Authorization != nil:
		headers.Set("Authorization", cmp.Or(strings.TrimSpace(c.Authorization.Type), "Bearer")+" "+
			c.Authorization.Credentials)
	case c.BasicAuth != nil:
		headers.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.BasicAuth.pair())))
	}
	return sender{next: next, headers: headers}, nil
}

func (b basicAuth) pair() string { return b.Username + ":" + b.Password }

func (c httpConfig) headers() http.Header {
	headers := http.Header{}
	for name, given := range c.Headers {
		for _, value := range given.Values {
			headers.Add(name, value)
		}
		for _, value := range given.Secrets {
			headers.Add(name, value)
		}
	}
	return headers
}

// newTransport is Go's default one with another TLS and proxy. Without a proxy of its own it takes that of the
// environment, as every client does.
func newTransport(t tlsConfig, proxy string) (*http.Transport, error) {
	config := http.DefaultTransport.(*http.Transport).Clone()
	var err error
	if config.TLSClientConfig, err = t.client(); err != nil {
		return nil, err
	}
	if proxy != "" {
		address, err := url.Parse(proxy)
		if err != nil {
			return nil, errors.New("proxy_url is no address")
		}
		config.Proxy = http.ProxyURL(address)
	}
	return config, nil
}

func (t tlsConfig) client() (*tls.Config, error) {
	//nolint:gosec // G402: the stack's settings ask for it by name
	config := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, errors.New("tls_config.ca holds no certificate")
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key))
		if err != nil {
			return nil, fmt.Errorf("tls_config.cert and key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// transport gets a token when there is none that is valid, and sends it.
func (o oauth2Config) transport(base http.RoundTripper) (http.RoundTripper, error) {
	tokens, err := newTransport(o.TLS, o.ProxyURL)
	if err != nil {
		return nil, fmt.Errorf("oauth2: %w", err)
	}
	params := url.Values{}
	for name, value := range o.EndpointParams {
		params.Set(name, value)
	}
	client := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, TokenURL: o.TokenURL,
		Scopes: o.Scopes, EndpointParams: params}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: tokens, Timeout: tokenLimit})
	return &oauth2.Transport{Source: client.TokenSource(ctx), Base: base}, nil
}

// sender adds headers to every request.
type sender struct {
	next    http.RoundTripper
	headers http.Header
}

// RoundTrip implements [http.RoundTripper].
func (s sender) RoundTrip(request *http.Request) (*http.Response, error) {
	if len(s.headers) == 0 {
		return s.next.RoundTrip(request)
	}
	request = request.Clone(request.Context())
	for name, values := range s.headers {
		request.Header[name] = append(request.Header[name], values...)
	}
	return s.next.RoundTrip(request)
}

// credentials lists what must not be shown.
func (c httpConfig) credentials() []string {
	list := []string{c.TLS.Key}
	if c.Authorization != nil {
		list = append(list, c.Authorization.Credentials)
	}
	if c.BasicAuth != nil {
		list = append(list, c.BasicAuth.Password, c.BasicAuth.pair())
	}
	if c.OAuth2 != nil {
		list = append(list, c.OAuth2.ClientSecret, c.OAuth2.TLS.Key)
	}
	for _, header := range c.Headers {
		list = append(list, header.Secrets...)
	}
	return list
}
