package smoke

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 1 << 20

// send sends a request and reads the answer. Parent is the context of the run, ctx that of the check within it.
//
// A pod that took the request and did not answer in time has failed. If there was no connection, or it broke, the pod
// may be as healthy as can be and the way to it broken: that is an error.
func (r *runner) send(ctx, parent context.Context, request *Request, timeout time.Duration) (*answer, outcome) {
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { sent.Store(info.Err == nil) },
	})
	req, err := r.build(ctx, request)
	if err != nil {
		return nil, notLooked(err)
	}
	answer, err := r.do(req)
	switch {
	case err == nil:
		return answer, outcome{status: Passed}
	case parent.Err() != nil:
		return nil, outcome{status: Error, reason: "stopped: " + context.Cause(parent).Error()}
	case ctx.Err() != nil && sent.Load():
		return nil, failed("%s %s: expected an answer within %s, got none", request.Method, request.Path, timeout)
	case ctx.Err() != nil:
		return nil, notLooked(fmt.Errorf("%s %s: no connection within %s", request.Method, request.Path, timeout))
	}
	return nil, notLooked(fmt.Errorf("%s %s: %w", request.Method, request.Path, endpoint.WithoutURL(err)))
}

func (r *runner) do(req *http.Request) (*answer, error) {
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if closeErr := resp.Body.Close(); err == nil && closeErr != nil {
		err = closeErr
	}
	if err == nil && len(body) > maxAnswerBytes {
		err = fmt.Errorf("the answer is larger than %d bytes", maxAnswerBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// build fills in the templates.
func (r *runner) build(ctx context.Context, request *Request) (*http.Request, error) {
	path, err := r.values.expand(request.Path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	body, err := r.body(request)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, request.Method, strings.TrimSuffix(r.target.BaseURL, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("base URL of the target: %w", err)
	}
	req.Header.Set("User-Agent", "rollout-smoke")
	if request.JSON != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range request.Headers {
		if value, err = r.values.expand(value); err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

func (r *runner) body(request *Request) (io.Reader, error) {
	if request.JSON == nil {
		text, err := r.values.expand(request.Body)
		if err != nil || text == "" {
			return nil, err
		}
		return strings.NewReader(text), nil
	}
	value, err := r.values.expandJSON(request.JSON)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return strings.NewReader(string(encoded)), nil
}
