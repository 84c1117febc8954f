package guard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func notification(alerts ...map[string]any) string {
	raw, err := json.Marshal(map[string]any{"version": "4", "groupKey": "{}", "status": "firing", "receiver": "guard",
		"alerts": alerts})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func firingAlert(fingerprint string, change ...string) map[string]any {
	labels := map[string]string{"alertname": "CanaryCrashLoop", "action": "rollback", "app": "finance", "release": "v2"}
	for i := 0; i+1 < len(change); i += 2 {
		labels[change[i]] = change[i+1]
	}
	return map[string]any{
		"status": "firing", "labels": labels, "annotations": map[string]string{"summary": "bad"}, "startsAt": born,
		"endsAt":      time.Time{},
		"fingerprint": fingerprint, "generatorURL": "http://prometheus/graph",
	}
}

func resolved(alert map[string]any) map[string]any { alert["status"] = "resolved"; return alert }

// hook is a webhook in a test.
type hook struct {
	*webhook
	leads     bool
	delivered []Alert
	counted   map[string]int
}

func newHook() *hook {
	h := &hook{leads: true, counted: map[string]int{}}
	h.webhook = newWebhook(func() (string, error) { return "t0ken", nil }, func() bool { return h.leads },
		func(firing []Alert) { h.delivered = append(h.delivered, firing...) },
		func(outcome string, by int) { h.counted[outcome] += by })
	return h
}

func (h *hook) post(t *testing.T, authorization, body string) int {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(body))
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	if strings.Contains(answer.Body.String(), "t0ken") {
		t.Error("the answer holds the token")
	}
	return answer.Code
}

func TestWebhookRefuses(t *testing.T) {
	good := notification(firingAlert("a"))
	tests := []struct {
		name, authorization, body string
		stands                    bool
		want                      int
	}{
		{"good", "Bearer t0ken", good, false, 200},
		{"no alerts", "Bearer t0ken", notification(), false, 200},
		{"no token", "", good, false, 401},
		{"wrong token", "Bearer t0keN", good, false, 401},
		{"no bearer", "t0ken", good, false, 401},
		{"not the leader", "Bearer t0ken", good, true, 503},
		{"no JSON", "Bearer t0ken", "{", false, 400},
		{"nothing", "Bearer t0ken", "", false, 400},
		{"a list", "Bearer t0ken", "[]", false, 400},
		{"two documents", "Bearer t0ken", good + good, false, 400},
		{"another version", "Bearer t0ken", strings.Replace(good, `"4"`, `"3"`, 1), false, 400},
		{"labels of numbers", "Bearer t0ken", strings.Replace(good, `"rollback"`, `7`, 1), false, 400},
		{"another status", "Bearer t0ken", strings.Replace(good, `"status":"firing"}`, `"status":"odd"}`, 1), false, 400},
		{"no labels", "Bearer t0ken", `{"version":"4","alerts":[{"status":"firing","startsAt":"2026-03-02T09:00:00Z"}]}`,
			false, 400},
		{"no start", "Bearer t0ken", `{"version":"4","alerts":[{"status":"firing","labels":{"a":"b"}}]}`, false, 400},
		{"10 MiB", "Bearer t0ken", `{"version":"` + strings.Repeat("4", 10<<20) + `"}`, false, 413},
		{"10 MiB of spaces", "Bearer t0ken", good + strings.Repeat(" ", 10<<20), false, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHook()
			h.leads = !tt.stands
			if got := h.post(t, tt.authorization, tt.body); got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
			if tt.want != 200 && len(h.delivered) > 0 {
				t.Error("it was delivered")
			}
		})
	}
}

func TestWebhookDeliversEachAlertOnce(t *testing.T) {
	h := newHook()
	later := firingAlert("a")
	later["startsAt"] = born.Add(time.Hour)
	h.post(t, "Bearer t0ken", notification(firingAlert("a"), firingAlert("b"), resolved(firingAlert("c"))))
	h.post(t, "Bearer t0ken", notification(firingAlert("a"), firingAlert("b"), later))
	if len(h.delivered) != 3 || h.counted["accepted"] != 3 || h.counted["repeated"] != 2 || h.counted["resolved"] != 1 {
		t.Errorf("delivered %d, counted %v", len(h.delivered), h.counted)
	}
	if got := h.delivered[0]; got.Name != "CanaryCrashLoop" || got.Summary != "bad" || !got.Since.Equal(born) {
		t.Errorf("%+v", got)
	}
}

func TestWebhookRemembersNoMoreThanItMay(t *testing.T) {
	h := newHook()
	for i := range 100 {
		var many []map[string]any
		for j := range 100 {
			many = append(many, firingAlert(fmt.Sprintf("%d-%d", i, j), "summary", strings.Repeat("x", 100)))
		}
		if status := h.post(t, "Bearer t0ken", notification(many...)); status != 200 {
			t.Fatalf("status %d", status)
		}
	}
	if len(h.seen) != mostRemembered || len(h.order) != mostRemembered {
		t.Errorf("%d alerts are remembered", len(h.seen))
	}
}

func TestWebhookWithoutATokenIsClosed(t *testing.T) {
	h := newHook()
	h.token = func() (string, error) { return "", nil }
	if status := h.post(t, "Bearer ", notification(firingAlert("a"))); status != 503 {
		t.Errorf("status %d", status)
	}
}

func TestAlertsConcernTheirRollout(t *testing.T) {
	config := Config{Release: "v2"}
	config.Spec.App, config.Spec.Namespace = "finance", "shop"
	tests := []struct {
		change []string
		want   bool
	}{
		{nil, true}, {[]string{"namespace", "shop"}, true}, {[]string{"namespace", "other"}, false},
		{[]string{"release", "v3"}, false},
		{[]string{"app", "other"}, false}, {[]string{"action", "review"}, false}, {[]string{"action", "rolled-back"}, false},
	}
	for _, tt := range tests {
		alert := Alert{Labels: firingAlert("a", tt.change...)["labels"].(map[string]string)}
		if got := alert.concerns(config); got != tt.want {
			t.Errorf("%v: %v", tt.change, got)
		}
	}
}

func TestCleanTamesTextsOfOutside(t *testing.T) {
	got := clean("a\x1b[31m\nb\xff" + strings.Repeat("é", 300))
	if strings.ContainsAny(got, "\x1b\n") || !utf8.ValidString(got) || len(got) > 310 ||
		!strings.HasPrefix(got, "a b") {
		t.Errorf("%q", got)
	}
}

func FuzzWebhook(f *testing.F) {
	f.Add(notification(firingAlert("a"), resolved(firingAlert("b"))))
	f.Add(`{"version":"4","alerts":null}`)
	f.Add(`{"version":"4","alerts":[{"status":"firing","labels":{"":""},"startsAt":"0001-01-01T00:00:01Z"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		h := newHook()
		status := h.post(t, "Bearer t0ken", body)
		if status != 200 && status != 400 && status != 413 {
			t.Fatalf("status %d", status)
		}
		if status != 200 && len(h.delivered) > 0 {
			t.Fatal("what was refused is delivered")
		}
	})
}
