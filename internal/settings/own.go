package settings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/jsonvalue"
	"github.com/vextrus/finance-rollout/internal/login"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// OwnAddress is an address whose answer in JSON holds a criterion's value. The variables of a query stand for the
// rollout's in the address and the body, and $start and $end for the watched time in seconds since 1970.
type OwnAddress struct {
	URL string `json:"url"`
	// Method is GET, or POST, which is the default with a body.
	Method string `json:"method,omitempty"`
	Body   string `json:"body,omitempty"`
	// Field is the JSONPath of the value, as kubectl writes it, such as .series[0].pointlist[-1][1].
	Field string `json:"field"`
	// Auth gets the request in, in the form of prometheusAuth.
	Auth HTTPConfig `json:"auth,omitzero"`
}

// Verb is the method of the request.
func (a *OwnAddress) Verb() string {
	switch {
	case a.Method != "":
		return a.Method
	case a.Body != "":
		return "POST"
	default:
		return "GET"
	}
}

// LoginName names the login of the address after the address itself, so that no credential goes anywhere else; empty
// where the address lets everybody in.
func (a *OwnAddress) LoginName() string {
	if !a.Auth.IsSet() {
		return ""
	}
	sum := sha256.Sum256([]byte(a.URL))
	return hex.EncodeToString(sum[:8])
}

// mostOwn bounds the stack's own criteria: a look asks each of them.
const mostOwn = 50

func ownKey(i int) string { return fmt.Sprintf("criteria.own[%d]", i) }

func (s *Settings) validateOwnCriteria(errs *problems) {
	if len(s.Criteria.Own) > mostOwn {
		errs.add("criteria.own", strconv.Itoa(len(s.Criteria.Own)), "", "at most %d", mostOwn)
	}
	seen := map[string]*OwnAddress{}
	for i, own := range s.Criteria.Own {
		key := ownKey(i)
		switch {
		case own.Name == "":
			errs.add(key+".name", "", errs.setPath("'"+key+".name'", "NAME"), "missing; reports and the ledger name the "+
				"criterion by it")
		case own.Query == "" && own.HTTP == nil:
			errs.add(key, own.Name, "", "query or http is required: where its value comes from")
		case own.Query != "" && own.HTTP != nil:
			errs.add(key, own.Name, errs.remove("'"+key+".query'"), "query and http exclude each other")
		}
		if own.Direction != "below" && own.Direction != "above" {
			errs.add(key+".direction", own.Direction, errs.setPath("'"+key+".direction'", "below"), "allowed are below, above")
		}
		if own.HTTP == nil {
			continue
		}
		own.HTTP.validate(errs, key+".http")
		name := own.HTTP.LoginName()
		if first := seen[name]; name != "" && first != nil && fmt.Sprint(first.Auth) != fmt.Sprint(own.HTTP.Auth) {
			errs.add(key+".http.auth", "", "", "another criterion asks the same address with another login")
		}
		seen[name] = own.HTTP
	}
}

func (a *OwnAddress) validate(errs *problems, key string) {
	const example = "https://api.example.com/v1/query"
	parsed, err := url.Parse(a.URL)
	fix := errs.setPath("'"+key+".url'", example)
	switch {
	case err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https" ||
		strings.Contains(parsed.Host, "$"):
		errs.add(key+".url", shownAddress(a.URL), fix, "allowed is an http or https address; its host holds no variable")
	case parsed.User != nil:
		errs.add(key+".url", endpoint.Shown(a.URL), fix, "%s: it is printed, logged and kept in the state; %s.auth logs in",
			endpoint.ErrCredentials, key)
	case redact.Kind(a.URL) != "" || secretParameter(parsed) != "":
		errs.add(key+".url", shownAddress(a.URL), errs.setSecret("secrets.NAME.KEY")+" && "+
			errs.setPath("'"+key+".auth.http_headers.X-Api-Key.secrets[0]'", "NAME/KEY"),
			"it holds a credential, and stands in reports and in the ledger: send it in a header")
	}
	if redact.Kind(a.Body) != "" {
		errs.add(key+".body", "", errs.setPath("'"+key+".auth.http_headers.X-Api-Key.secrets[0]'", "NAME/KEY"),
			"it holds a credential, and stands in reports and in the ledger: send it in a header")
	}
	oneOfPath(errs, "'"+key+".method'", a.Method, "GET", "POST")
	if strings.TrimSpace(a.Field) == "" {
		errs.add(key+".field", "", errs.setPath("'"+key+".field'", "'.series[0].pointlist[-1][1]'"),
			"missing; it is the JSONPath of the value")
	} else if _, err := jsonvalue.Path(a.Field); err != nil {
		errs.add(key+".field", a.Field, errs.setPath("'"+key+".field'", "'.series[0].pointlist[-1][1]'"),
			"no JSONPath as kubectl writes it: %s", err)
	}
	if a.Auth.IsSet() {
		loginCheck{errs, key + ".auth", a.Auth}.check()
	}
}

// secretParameter is a parameter of the address whose name says that its value is a credential; empty for none.
func secretParameter(address *url.URL) string {
	for name, values := range address.Query() {
		for _, value := range values {
			if redact.KindOf(name, value) != "" {
				return name
			}
		}
	}
	return ""
}

// ownUses are the secrets that the addresses of the stack's own criteria need.
func (s *Settings) ownUses() []secretUse {
	var uses []secretUse
	for i, own := range s.Criteria.Own {
		if own.HTTP != nil {
			uses = append(uses, own.HTTP.Auth.uses(ownKey(i)+".http.auth")...)
		}
	}
	return uses
}

// OwnLogins are the logins of the addresses by their names.
func (s *Settings) OwnLogins() map[string]HTTPConfig {
	logins := map[string]HTTPConfig{}
	for _, own := range s.Criteria.Own {
		if own.HTTP != nil && own.HTTP.Auth.IsSet() {
			logins[own.HTTP.LoginName()] = own.HTTP.Auth
		}
	}
	return logins
}

// OwnLogin is the document of a login of the stack's own criteria, with its credentials.
func (s *Settings) OwnLogin(name string) login.Document {
	return func(context.Context) (string, error) {
		config, known := s.OwnLogins()[name]
		if !known {
			return "", fmt.Errorf("no criterion has the login %s", name)
		}
		return s.document(config)
	}
}
