package login

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/vextrus/finance-rollout/internal/redact"
)

// mostRefusal bounds the answer of a server that refuses a request, in bytes. People read its beginning alone.
const mostRefusal = 64 << 10

// transport logs in with the document of the moment.
type transport struct {
	read  Document
	build func(httpConfig) (http.RoundTripper, error)

	mu       sync.Mutex
	document string
	next     http.RoundTripper
	redactor redact.Redactor
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	next, redactor, err := t.current(request)
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, fmt.Errorf("log in: %w", err)
	}
	answer, err := next.RoundTrip(request)
	if err != nil {
		return nil, hide(err, redactor)
	}
	if answer.StatusCode/100 != 2 {
		return clean(answer, redactor)
	}
	return answer, nil
}

// current is the transport for the document of the moment, which is made anew when the document has changed.
func (t *transport) current(request *http.Request) (http.RoundTripper, redact.Redactor, error) {
	document, err := t.read(request.Context())
	if err != nil {
		return nil, redact.Redactor{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next != nil && document == t.document {
		return t.next, t.redactor, nil
	}
	parsed, err := parse(document)
	if err != nil {
		return nil, redact.Redactor{}, err
	}
	redactor := redact.New(parsed.credentials())
	next, err := t.build(parsed)
	if err != nil {
		return nil, redactor, hide(err, redactor)
	}
	t.document, t.next, t.redactor = document, next, redactor
	return next, redactor, nil
}

// hide removes credentials from an error. An error without one stays as it is, so that its causes can be asked for.
func hide(err error, redactor redact.Redactor) error {
	text := err.Error()
	if clean := redactor.Text(text); clean != text {
		return errors.New(clean)
	}
	return err
}

// clean removes credentials from the answer of a server that refuses a request.
func clean(answer *http.Response, redactor redact.Redactor) (*http.Response, error) {
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostRefusal))
	if err != nil {
		return nil, hide(err, redactor)
	}
	body = []byte(redactor.Text(string(body)))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Del("Content-Length")
	return answer, nil
}
