package service

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"text/scanner"

	"github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 100 << 10

// graphqlRequest is the body of a query.
type graphqlRequest struct {
	Query         string          `json:"query"`
	OperationName string          `json:"operationName"`
	Variables     map[string]any  `json:"variables"`
	Extensions    json.RawMessage `json:"extensions"`
}

// graphqlHandler serves queries.
type graphqlHandler struct {
	schema        *graphql.Schema
	auth          *authenticator
	faults        *FaultSwitch
	introspection bool
}

func (h *graphqlHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, codeBadRequest, "queries are sent with POST")
		return
	}
	faults := h.faults.Get()
	if !faults.CSRF && !preflighted(r) {
		refuse(w, http.StatusForbidden, codeForbidden, "blocked as a possible cross-site request forgery: "+
			"send Content-Type application/json, or the header Apollo-Require-Preflight")
		return
	}
	request, err := decodeRequest(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, codeBadRequest, err.Error())
		return
	}
	subject, err := h.auth.subject(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, http.StatusUnauthorized, codeUnauthenticated, err.Error())
		return
	}
	// The schema leaves the fields out silently; a client is told why.
	if !h.introspection && !faults.Introspection && mentions(request.Query, "__schema", "__type") {
		refuse(w, http.StatusBadRequest, codeIntrospection, "introspection is not allowed in this environment")
		return
	}
	if faults.Typename && mentions(request.Query, "__typename") {
		refuse(w, http.StatusOK, codeInternal, "internal error")
		return
	}
	response := h.schema.Exec(withSubject(r.Context(), subject), request.Query, request.OperationName, request.Variables)
	writeJSON(w, complete(response), response)
}

// complete gives errors that have none a code, and returns the status of the response: an operation that did not begin
// is a bad request, an error on the way leaves 200 and partial data.
func complete(response *graphql.Response) int {
	status := http.StatusOK
	for _, err := range response.Errors {
		if len(err.Path) == 0 && err.ResolverError == nil {
			status = http.StatusBadRequest
		}
		if err.Extensions == nil {
			err.Extensions = map[string]any{"code": codeValidation}
		}
	}
	return status
}

// preflighted reports whether a browser asks the service before it sends such a request from another site: it does for
// JSON and for headers of one's own, not for what an HTML form can send.
func preflighted(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/json" ||
		r.Header.Get("Apollo-Require-Preflight") != "" || r.Header.Get("X-Csrf-Token") != ""
}

// decodeRequest reads the query from JSON, or from a form if the protection that refuses forms is off.
func decodeRequest(w http.ResponseWriter, r *http.Request) (*graphqlRequest, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, errors.New("the body cannot be read, or is larger than 100 KiB")
	}
	request := &graphqlRequest{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errors.New("the body is not a form")
		}
		request.Query = form.Get("query")
	} else if err := json.Unmarshal(body, request); err != nil {
		return nil, errors.New(`the body must be JSON such as {"query": "{ __typename }"}`)
	}
	if request.Query == "" {
		return nil, errors.New("the query is missing")
	}
	return request, nil
}

// mentions reports whether one of the names occurs in a query other than within a text.
func mentions(query string, names ...string) bool {
	var s scanner.Scanner
	s.Init(strings.NewReader(query))
	s.Mode = scanner.ScanIdents | scanner.ScanStrings
	s.Error = func(*scanner.Scanner, string) {} // The schema reports what cannot be read.
	for token := s.Scan(); token != scanner.EOF; token = s.Scan() {
		for _, name := range names {
			if token == scanner.Ident && s.TokenText() == name {
				return true
			}
		}
	}
	return false
}

// refuse answers with a GraphQL error.
func refuse(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, &graphql.Response{Errors: []*gqlerrors.QueryError{
		{Message: message, Extensions: map[string]any{"code": code}},
	}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n')) // Nobody is left to tell if the client is gone.
}
