package settings

import (
	"net/url"
	"strings"

	"github.com/vextrus/finance-rollout/internal/jsonvalue"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// IncidentEndpoint is an address whose answer in JSON says whether there is an incident. An empty URL is none.
type IncidentEndpoint struct {
	URL string `json:"url"`
	// Field is the JSONPath of the value that says it, as kubectl writes it, such as .status.indicator.
	Field string `json:"field"`
	// Closed are values that mean no incident, beside false, 0, null and what is empty.
	Closed []string `json:"closed"`
}

func (e IncidentEndpoint) validate(errs *problems) {
	const key = "incidents.endpoint"
	if e.URL == "" {
		if e.Field != "" || len(e.Closed) > 0 {
			errs.add(key+".url", "", errs.setPath(key+".url", "https://status.example.com/api/v2/status.json"),
				"missing; field and closed are about its answer")
		}
		return
	}
	parsed, err := url.Parse(e.URL)
	fix := errs.setPath(key+".url", "https://status.example.com/api/v2/status.json")
	switch {
	case err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		errs.add(key+".url", shownAddress(e.URL), fix, "allowed is an http or https address")
	case parsed.User != nil || redact.Kind(e.URL) != "":
		errs.add(key+".url", shownAddress(e.URL), fix,
			"an address with credentials is refused, because it stands in previews: give the address of one that needs none")
	}
	if strings.TrimSpace(e.Field) == "" {
		errs.add(key+".field", "", errs.setPath(key+".field", ".status.indicator"),
			"missing; it is the JSONPath of the value that says whether there is an incident")
		return
	}
	if _, err := jsonvalue.Path(e.Field); err != nil {
		errs.add(key+".field", e.Field, errs.setPath(key+".field", ".status.indicator"),
			"no JSONPath as kubectl writes it: %s", err)
	}
}
