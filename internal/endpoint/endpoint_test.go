package endpoint

import "testing"

func TestParse(t *testing.T) {
	good := map[string]Endpoint{
		"http://127.0.0.1:30090/":             {URL: "http://127.0.0.1:30090"},
		"https://prometheus.example.com/path": {URL: "https://prometheus.example.com/path"},
		"monitoring/prometheus-operated:9090": {Namespace: "monitoring", Service: "prometheus-operated", Port: 9090},
	}
	for text, want := range good {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "prom", "ftp://x", "a/b", "a/b:0", "a/b:70000", "http://"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) was accepted", text)
		}
	}
}
