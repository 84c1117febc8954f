package smoke

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEmbeddedSuite(t *testing.T) {
	byDefault, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	byName, err := Load("finance-service")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(byDefault, byName); diff != "" {
		t.Errorf("the suite differs by name:\n%s", diff)
	}
	if got := len(byDefault.Checks); got != 12 {
		t.Errorf("got %d checks, want 12", got)
	}
	if got := byDefault.Requests(); got != 32 {
		t.Errorf("got %d requests, want 32, of 100 in 15 minutes", got)
	}
}

func TestLoadFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	const text = `
name: shop
maxRequests: 11
exemptPaths: [/healthz/]
timeout: 2s
checks:
  - name: up
    request: {path: "/healthz/live?full"}
    expect: {status: [200, "300-399"]}
  - name: fast
    kind: latency
    timeout: 3s
    latency: {requests: 10, percentile: 90, max: 250ms}
    request: {method: HEAD, path: /healthz2}
    expect: {status: [204]}
  - name: item
    steps:
      - request: {path: /items/1}
        expectIn: {production: {status: [404]}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := &Suite{
		Name: "shop", MaxRequests: 11, ExemptPaths: []string{"/healthz/"}, Timeout: 2 * time.Second,
		Checks: []Check{
			{Name: "up", Kind: KindHTTP, Timeout: 2 * time.Second, Steps: []Step{{
				Request: Request{Method: "GET", Path: "/healthz/live?full"},
				Expect:  &Expectation{Status: []StatusRange{{200, 200}, {300, 399}}},
			}}},
			{
				Name: "fast", Kind: KindLatency, Timeout: 3 * time.Second,
				Latency: &Latency{Requests: 10, Percentile: 90, Max: 250 * time.Millisecond},
				Steps: []Step{{
					Request: Request{Method: "HEAD", Path: "/healthz2"},
					Expect:  &Expectation{Status: []StatusRange{{204, 204}}},
				}},
			},
			{Name: "item", Kind: KindHTTP, Timeout: 2 * time.Second, Steps: []Step{{
				Request:  Request{Method: "GET", Path: "/items/1"},
				ExpectIn: map[string]*Expectation{"production": {Status: []StatusRange{{404, 404}}}},
			}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("suite (-want +got):\n%s", diff)
	}
	if got.Requests() != 11 {
		t.Errorf("got %d requests, want the 10 of the latency check and 1", got.Requests())
	}
}

func TestLoadFileThatIsNotThere(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "nothing.yaml"))
	if err == nil || !strings.Contains(err.Error(), "nothing.yaml") ||
		!strings.Contains(err.Error(), `"finance-service"`) {
		t.Errorf("got %v, want an error that names the file and the embedded suite", err)
	}
}

// valid is the smallest suite; each bad input below is it with one thing changed.
const valid = `name: shop
maxRequests: 10
checks:
  - name: up
    request: {path: /}
    expect: {status: [200]}
`

func TestParseRefuses(t *testing.T) {
	if _, err := Parse("shop.yaml", []byte(valid)); err != nil {
		t.Fatalf("the suite that the cases change is refused: %v", err)
	}
	check := func(body string) string { return "name: shop\nmaxRequests: 10\nchecks:\n  - " + body + "\n" }
	const ok = "{name: up, request: {path: /}, expect: {status: [200]}}"
	expect := func(body string) string { return check("{name: up, request: {path: /}, expect: " + body + "}") }
	request := func(body string) string { return check("{name: up, request: " + body + ", expect: {status: [200]}}") }
	tests := map[string]struct{ text, want string }{
		"empty file":     {"", "the file is empty"},
		"only a comment": {"# nothing\n", "the file is empty"},
		"not YAML":       {"name: [", "yaml:"},
		"not a mapping":  {"- up\n", "must be a mapping with the fields name, description, maxRequests"},
		"null":           {"null\n", "has no value"},
		"two documents":  {valid + "---\n" + valid, "more than one YAML document"},
		"unknown top field": {valid + "retries: 3\n",
			`line 7: unknown field "retries"; allowed: name, description, maxRequests`},
		"top field's case": {strings.Replace(valid, "maxRequests", "maxrequests", 1), `unknown field "maxrequests"`},
		"field twice":      {valid + "name: other\n", `field "name" is given twice`},
		"anchor":           {strings.Replace(valid, "[200]", "&ok [200]", 1), "anchors and aliases are not supported"},
		"no name":          {strings.Replace(valid, "name: shop", "description: x", 1), "name: must be lower-case letters"},
		"no maxRequests":   {strings.Replace(valid, "maxRequests: 10\n", "", 1), "maxRequests: must be at least 1, got 0"},
		"maxRequests text": {strings.Replace(valid, "10", "ten", 1),
			`line 2: maxRequests: must be a whole number, got "ten"`},
		"no checks":         {"name: shop\nmaxRequests: 10\n", "checks: must hold 1 to 100 checks, got 0"},
		"empty checks":      {"name: shop\nmaxRequests: 10\nchecks: []\n", "checks: must hold 1 to 100 checks, got 0"},
		"null checks":       {"name: shop\nmaxRequests: 10\nchecks:\n", "checks: has no value"},
		"timeout of 0":      {valid + "timeout: 0s\n", "timeout: must be more than 0 and at most 5m0s, got 0s"},
		"timeout unitless":  {valid + "timeout: 5\n", `timeout: must be a duration such as 500ms or 5s, got "5"`},
		"exempt everything": {valid + "exemptPaths: [/]\n", "exemptPaths: must be paths below /"},
		"name twice":        {check(ok + "\n  - " + ok), `check "up": the name is given twice`},
		"unnamed check":     {check("{request: {path: /}, expect: {status: [200]}}"), "name: must be lower-case letters"},
		"check's name": {check("{name: Up!, request: {path: /}, expect: {status: [200]}}"),
			`check "Up!": name: must be`},
		"description lines": {check(`{name: up, description: "a\nb", request: {path: /}, expect: {status: [200]}}`),
			`check "up": description: must be one line`},
		"unknown kind": {check("{name: up, kind: tcp, request: {path: /}, expect: {status: [200]}}"),
			`check "up": kind: unknown kind "tcp"; allowed: http, latency`},
		"unknown field": {check("{name: up, retry: 1, request: {path: /}, expect: {status: [200]}}"),
			`line 4: check "up": unknown field "retry"; allowed: name, description, kind, timeout`},
		"no request":    {check("{name: up, expect: {status: [200]}}"), `check "up": request: missing`},
		"nothing to do": {check("{name: up}"), `check "up": needs either request and expect, or steps`},
		"steps and request": {
			check("{name: up, request: {path: /}, steps: [{request: {path: /}, expect: {status: [200]}}]}"),
			"has steps and also a request"},
		"no expectation": {check("{name: up, request: {path: /}}"), `check "up": expect: missing`},
		"second step": {check("{name: up, steps: [{request: {path: /}, expect: {status: [200]}}, {request: {path: " +
			"/}}]}"), `check "up": steps[1]: expect: missing`},
		"latency elsewhere": {check("{name: up, latency: {requests: 1, percentile: 95, max: 1s}, request: {path: /}, " +
			"expect: {status: [200]}}"), "latency: only allowed with kind: latency"},
		"latency missing": {check("{name: up, kind: latency, request: {path: /}, expect: {status: [200]}}"),
			"latency: missing"},
		"no latency request": {check("{name: up, kind: latency, latency: {requests: 0, percentile: 95, max: 1s}, request: " +
			"{path: /}, expect: {status: [200]}}"), "latency.requests: must be 1 to 1000, got 0"},
		"percentile 101": {check("{name: up, kind: latency, latency: {requests: 5, percentile: 101, max: 1s}, " +
			"request: {path: /}, expect: {status: [200]}}"), "latency.percentile: must be 1 to 100, got 101"},
		"max over timeout": {check("{name: up, kind: latency, latency: {requests: 5, percentile: 95, max: 6s}, request: " +
			"{path: /}, expect: {status: [200]}}"), "at most the check's timeout of 5s, got 6s"},
		"too many requests": {check("{name: up, kind: latency, latency: {requests: 11, percentile: 95, max: 1s}, " +
			"request: {path: /}, expect: {status: [200]}}"),
			"send 11 requests outside of exemptPaths to each pod, more than maxRequests: 10"},
		"method": {request("{method: get, path: /}"),
			`check "up": request.method: unknown method "get"; allowed: GET, HEAD`},
		"relative path":    {request("{path: health}"), "request.path: must start with one slash"},
		"another host":     {request("{path: //evil.example}"), "request.path: must start with one slash"},
		"fragment":         {request("{path: /a#b}"), "request.path: must be a path with an optional query"},
		"header name":      {request(`{path: /, headers: {"X Y": z}}`), "request.headers:"},
		"header injection": {request(`{path: /, headers: {X: "a\r\nb"}}`), "request.headers:"},
		"unknown template": {request(`{path: /, headers: {X: "{{secret}}"}}`),
			`request.headers.X: unknown template "{{secret}}"; allowed: {{allowedOrigin}}`},
		"template in JSON": {request(`{path: /, json: {a: ["{{secret}}"]}}`),
			`request.json: unknown template "{{secret}}"`},
		"template in body":  {request(`{path: /, body: "{{secret}}"}`), `request.body: unknown template "{{secret}}"`},
		"body and JSON":     {request("{path: /, body: a, json: {}}"), "request.body: give body or json, not both"},
		"JSON not a number": {request("{path: /, json: .nan}"), "request.json: cannot be written as JSON"},
		"status missing":    {expect("{body: {contains: [a]}}"), "expect.status: missing"},
		"status misspelled": {expect("{stauts: [200]}"),
			`check "up": expect: unknown field "stauts"; allowed: status, headers, json, body`},
		"status 42":         {expect("{status: [42]}"), `check "up": expect.status[0]: must be a status code such as 200`},
		"status backwards":  {expect(`{status: ["499-400"]}`), `expect.status[0]: must be a status code`},
		"status not a list": {expect("{status: 200}"), "expect.status: must be a list, not a single value"},
		"header unsaid":     {expect("{status: [200], headers: {X: {}}}"), "expect.headers.X: give exactly one of"},
		"header both": {expect("{status: [200], headers: {X: {absent: true, equals: a}}}"),
			"expect.headers.X: give exactly one of"},
		"absent maybe": {expect("{status: [200], headers: {X: {absent: maybe}}}"),
			`expect.headers.X.absent: must be true or false, got "maybe"`},
		"pointer with dots": {expect("{status: [200], json: [{pointer: a.b, exists: true}]}"),
			"expect.json[0]: pointer: must be a JSON Pointer"},
		"pointer's tilde": {expect("{status: [200], json: [{pointer: /a~b, exists: true}]}"), "~ is written ~0"},
		"JSON unsaid": {expect("{status: [200], json: [{pointer: /a}]}"),
			"expect.json[0]: give exactly one of equals, in, exists: true and absent: true, got 0"},
		"JSON equals null": {expect("{status: [200], json: [{pointer: /a, equals: null}]}"), "give exactly one of"},
		"JSON equals list": {expect("{status: [200], json: [{pointer: /a, equals: [1]}]}"),
			"compare with texts, numbers, true and false only"},
		"empty body text": {expect(`{status: [200], body: {notContains: [""]}}`), "an empty text occurs in every body"},
		"environment": {check("{name: up, request: {path: /}, expectIn: {Prod: {status: [200]}}}"),
			"expectIn: an environment must be"},
		"in environment": {check("{name: up, request: {path: /}, expectIn: {prod: {status: []}}}"),
			"expectIn.prod.status: missing"},
		"suite's description": {valid + "description: \"a\\nb\"\n", "description: must be one line"},
		"check's timeout": {check("{name: up, timeout: 6m, request: {path: /}, expect: {status: [200]}}"),
			`check "up": timeout: must be more than 0 and at most 5m0s, got 6m0s`},
		"latency of two steps": {check("{name: up, kind: latency, latency: {requests: 1, percentile: 95, max: 1s}, steps: [" +
			"{request: {path: /}, expect: {status: [200]}}, {request: {path: /}, expect: {status: [200]}}]}"),
			`check "up": steps: a latency check sends one request, got 2`},
		"step's name": {check(`{name: up, steps: [{name: "a\tb", request: {path: /}, expect: {status: [200]}}]}`),
			`check "up": name: must be one line`},
		"template in path": {request(`{path: "/{{secret}}"}`), `request.path: unknown template "{{secret}}"`},
		"expected header's name": {expect(`{status: [200], headers: {"X Y": {absent: true}}}`),
			`expect.headers: "X Y" is not a header's name`},
		"template in expected header": {expect(`{status: [200], headers: {X: {equals: "{{secret}}"}}}`),
			`expect.headers.X: unknown template "{{secret}}"`},
		"anchor in JSON": {request("{path: /, json: {a: [&a 1]}}"), "anchors and aliases are not supported"},
		"name of a list": {strings.Replace(valid, "name: shop", "name: [shop]", 1), "name: must be a text, not a list"},
		"name of a mapping": {strings.Replace(valid, "name: shop", "name: {a: b}", 1),
			"name: must be a text, not a mapping"},
		"headers of a list": {request("{path: /, headers: [Accept]}"), "request.headers: must be a mapping, not a list"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			suite, err := Parse("shop.yaml", []byte(test.text))
			if err == nil {
				t.Fatalf("accepted: %+v", suite)
			}
			if got := err.Error(); !strings.HasPrefix(got, "smoke suite shop.yaml: ") || !strings.Contains(got, test.want) {
				t.Errorf("got error\n%s\nwant it to name the file and\n%s", got, test.want)
			}
		})
	}
}

func TestParseRefusesLargeFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(file, []byte(valid+strings.Repeat("#\n", maxFileBytes/2)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("got %v, want the file to be refused for its size", err)
	}
}

// FuzzParse looks for input that panics, and for accepted suites that break what Suite promises.
func FuzzParse(f *testing.F) {
	data, err := embedded.ReadFile("suites/finance-service.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(valid))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("<<: {name: x}\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		suite, err := Parse("fuzz.yaml", data)
		if err != nil {
			if suite != nil {
				t.Error("a suite came with an error")
			}
			return
		}
		if suite.Requests() > suite.MaxRequests {
			t.Errorf("%d requests, more than %d", suite.Requests(), suite.MaxRequests)
		}
		names := map[string]bool{}
		for _, check := range suite.Checks {
			if check.Name == "" || names[check.Name] || len(check.Steps) == 0 || check.Timeout <= 0 {
				t.Errorf("check %+v breaks a promise", check)
			}
			names[check.Name] = true
		}
	})
}
