package prometheus

import (
	"fmt"
	"io"
	"net/http"
)

// mostAnswer bounds an answer of Prometheus, in bytes. An hour of thousands of series fits. A label of unbounded
// cardinality makes answers of any size, and one of them could exceed the guard's memory limit.
const mostAnswer = 32 << 20

// Bounded is a transport whose answers end with an error beyond 32 MiB.
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

// Read implements [io.Reader]. It reads up to one byte beyond the bound, to distinguish an answer that ends there
// from a longer one.
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
