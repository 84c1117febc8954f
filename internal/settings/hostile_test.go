package settings

import (
	"strconv"
	"strings"
	"testing"
)

// Names get into queries, object names, labels and addresses: nothing but a name of Kubernetes is one.
func TestNamesThatReachFurtherAreRefused(t *testing.T) {
	for _, key := range []string{"environment", "app", "serviceName", "namespace", "release", "stableVersion"} {
		for _, value := range []string{
			`week1"} or vector(1) #`, "week1'", "week1`", "week1\nx", "week1\x1b[2J", "week1|.*", "week.1", "$release", "../week1", "<b>", "@octocat", "Week1",
			strings.Repeat("w", 64),
		} {
			_, err := Load("production", production(key, value))
			if err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%s %q: %v", key, value, err)
			} else if strings.ContainsAny(err.Error(), "\x1b") {
				t.Errorf("%s: the error acts on a terminal: %q", key, err)
			}
		}
	}
	for field, value := range map[string]string{
		"requestsTotal": `up or vector(1)`, "durationBucket": `up{a="b"}`, "statusLabel": "a:b", "selector": `{"a:b":"c"}`, "errorPattern": "5(",
	} {
		if field != "selector" {
			value = strconv.Quote(value)
		}
		if _, err := Load("production", production("metrics", `{"`+field+`":`+value+`}`)); err == nil || !strings.Contains(err.Error(), "metrics."+field) {
			t.Errorf("metrics.%s %s: %v", field, value, err)
		}
	}
}
