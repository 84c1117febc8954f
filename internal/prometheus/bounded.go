package prometheus

import (
	"fmt"
	"io"
	"net/http"
)

// mostAnswer bounds an answer of Prometheus, in bytes: an hour of thousands of series fits. A release whose metrics
// have a label with ever new values makes answers of any size, and the guard would be killed by one.
const mostAnswer = 32 << 20

// Bounded is a transport whose answers are errors beyond their bound, and never read further.
func Bounded(transport http.RoundTripper) http.RoundTripper { return bounded{transport, mostAnswer} }

type bounded struct {
	http.RoundTripper
	most int64
}

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: b.most, most: b.most}
	return response, nil
}

type boundedBody struct {
	io.ReadCloser
	left, most int64
}

// Read implements [io.Reader]. It asks for one byte more than is left, to tell an answer that ends there from one
// that goes on.
func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the answer is longer than %d MiB: too many series are selected; select fewer by "+
			"metrics.selector, or give the service fewer labels", b.most>>20)
	}
	return n, err
}
