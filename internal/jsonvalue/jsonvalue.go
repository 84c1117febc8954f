// Package jsonvalue gets values out of an answer in JSON that an address gives: the state of an incident, or the number
// that a criterion of the stack's own judges. Time and size are bounded, no redirect is followed, and no error holds
// the address, a header or a word of the answer: all of them may hold a credential.
package jsonvalue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// mostBytes bounds an answer.
const mostBytes = 1 << 20

// Path parses a JSONPath as kubectl writes it. Its braces may be left out, as for kubectl.
func Path(field string) (*jsonpath.JSONPath, error) {
	field = strings.TrimSpace(field)
	if !strings.HasPrefix(field, "{") {
		if !strings.HasPrefix(field, ".") && !strings.HasPrefix(field, "[") && !strings.HasPrefix(field, "$") {
			field = "." + field
		}
		field = "{" + field + "}"
	}
	path := jsonpath.New("field")
	err := path.Parse(field)
	return path, err
}

// Values are the values of a field; those of a list one by one. A field that is not there is an error, and a filter
// that nothing meets is not.
func Values(field string, answer any) ([]any, error) {
	path, err := Path(field)
	if err != nil {
		return nil, err
	}
	results, err := path.FindResults(answer)
	if err != nil {
		return nil, fmt.Errorf("its answer has no field %s: %w", field, err)
	}
	var values []any
	for _, result := range results {
		for _, found := range result {
			var value any
			if found.IsValid() && found.CanInterface() {
				value = found.Interface()
			}
			if list, isList := value.([]any); isList {
				values = append(values, list...)
			} else {
				values = append(values, value)
			}
		}
	}
	return values, nil
}

// Request asks an address.
type Request struct {
	// Method is GET where it is empty. A Body is JSON.
	Method, URL, Body string
}

// Fetch decodes the answer of an address. The client's redirects are not followed: another server knows nothing of what
// is asked for. A nil client is one that logs in nowhere.
func Fetch(ctx context.Context, client *http.Client, ask Request) (any, error) {
	request, err := http.NewRequestWithContext(ctx, ask.Method, ask.URL, strings.NewReader(ask.Body))
	if err != nil {
		return nil, errors.New("no address that can be asked")
	}
	request.Header.Set("Accept", "application/json")
	if ask.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	once := http.Client{}
	if client != nil {
		once = *client
	}
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := once.Do(request)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, endpoint.WithoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, mostBytes+1))
	if err != nil {
		return nil, errors.New("its answer ends early")
	}
	if len(body) > mostBytes {
		return nil, fmt.Errorf("its answer is larger than %d bytes", mostBytes)
	}
	var answer any
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, errors.New("its answer is no JSON")
	}
	return answer, nil
}

// Number is the one number of a field, which may be written as a text, as Prometheus does.
func Number(field string, answer any) (float64, error) {
	values, err := Values(field, answer)
	if err != nil {
		return 0, err
	}
	if len(values) != 1 {
		return 0, fmt.Errorf("the field %s has %d values instead of one: name one of them, for example with [-1:]", field,
			len(values))
	}
	number := math.NaN()
	switch value := values[0].(type) {
	case float64:
		number = value
	case string:
		if parsed, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
			number = parsed
		}
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return 0, fmt.Errorf("the field %s holds no number: is there anything to measure?", field)
	}
	return number, nil
}
