package endpoint

import (
	"errors"
	"net/url"
)

// WithoutURL is the cause of a failed request. An HTTP client puts the whole address before it, which the caller names
// itself and which may hold a token.
func WithoutURL(err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		return request.Err
	}
	return err
}
