package endpoint

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"testing"
)

func TestWithoutURL(t *testing.T) {
	refused := errors.New("connection refused")
	of := &url.Error{Op: "Get", URL: "https://metrics.example.com/?token=s3cr3t", Err: refused}
	for name, tt := range map[string]struct{ err, want error }{
		"of a client":  {of, refused},
		"wrapped":      {fmt.Errorf("ask: %w", of), refused},
		"of no client": {io.EOF, io.EOF},
		"none":         {nil, nil},
	} {
		if got := WithoutURL(tt.err); got != tt.want { //nolint:errorlint // the very error
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
