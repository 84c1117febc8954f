package endpoint

import (
	"errors"
	"testing"
)

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

// An address is printed, logged and kept in the state: it holds no credential, and an error about it shows none.
func TestCredentialsInAnAddressAreRefusedAndNotShown(t *testing.T) {
	for text, want := range map[string]string{
		"https://ann:s3cr3t@prometheus.example/prometheus": "https://prometheus.example/prometheus",
		"https://ann@prometheus.example":                   "https://prometheus.example",
		"http://ann:p@ss@prometheus.example":               "http://prometheus.example",
		"http://ann:%zz@prometheus.example":                "http://prometheus.example",
		"ann:s3cr3t@prometheus:9090":                       "prometheus:9090",
	} {
		_, err := Parse(text)
		if err == nil {
			t.Errorf("Parse(%q) was accepted", text)
		}
		if text != "ann:s3cr3t@prometheus:9090" && text != "http://ann:%zz@prometheus.example" &&
			!errors.Is(err, ErrCredentials) {
			t.Errorf("Parse(%q): %v", text, err)
		}
		if got := Shown(text); got != want {
			t.Errorf("Shown(%q) = %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"monitoring/prometheus-operated:9090", "https://a.example/b", ""} {
		if got := Shown(text); got != text {
			t.Errorf("Shown(%q) = %q", text, got)
		}
	}
}
