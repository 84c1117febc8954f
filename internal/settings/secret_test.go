package settings

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretsAreNeverShown(t *testing.T) {
	secret := Secret("s3cr3t-value")
	encoded, err := json.Marshal(map[string]any{"a": secret})
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", secret)
	s, err := Load("production", production())
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprint(secret), fmt.Sprintf("%s %v %+v %#v %q", secret, secret, secret, secret, secret), string(encoded),
		logged.String(),
		fmt.Sprintf("%+v", s.Secrets), fmt.Sprintf("%#v", s.Secrets),
	} {
		if strings.Contains(shown, "s3cr3t") {
			t.Errorf("shown: %s", shown)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	for text, want := range map[string]bool{
		"<SECURE_PASSWORD>": true, "changeme": true, "CHANGE_ME": true, "TODO": true, "xxxx": true, " ": true, "a<b>c": true,
		"correct horse": false, "x1xx": false, "https://a": false, "todo-list-9": false,
	} {
		if got := Secret(text).IsPlaceholder(); got != want {
			t.Errorf("IsPlaceholder(%q) = %v", text, got)
		}
	}
}
