//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
)

const pageToken = "the-readers-of-the-test"

// guardPage reads the page of every replica of the guard, by the guard's own Role, and without the token.
func guardPage(t *testing.T, g *guarded) {
	pods, err := g.Cluster.AllPods(t.Context(), g.Namespace, map[string]string{names.App: g.App + "-guard"})
	if err != nil || len(pods) == 0 {
		t.Fatalf("%d pods of the guard: %v", len(pods), err)
	}
	for _, pod := range pods {
		g.readPage(t, pod.Name)
	}
}

// readPage reads the page of one replica.
func (g *guarded) readPage(t *testing.T, pod string) {
	t.Helper()
	client, base, closePod, err := g.Cluster.PodClient(t.Context(), g.Namespace, pod, 8080)
	if err != nil {
		t.Fatal(err)
	}
	defer closePod()
	ctx, leave := context.WithTimeout(t.Context(), time.Minute)
	defer leave()
	// read hands over the answer to a request with the token.
	read := func(path, token string, take func(*http.Response)) {
		t.Helper()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		take(answer)
	}
	for _, token := range []string{"", webhookToken, "wrong"} {
		read("/dashboard/finance-service-guard/", token, func(answer *http.Response) {
			if answer.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: with the token %q: %s", pod, token, answer.Status)
			}
		})
	}
	read("/dashboard/finance-service-guard/events", pageToken, func(answer *http.Response) {
		events := bufio.NewScanner(answer.Body)
		events.Buffer(nil, 1<<20)
		seen := false
		for !seen && events.Scan() {
			seen = strings.Contains(events.Text(), "finance-service-stable") && strings.Contains(events.Text(), " active; ")
			if strings.Contains(events.Text(), "forbidden") {
				t.Errorf("%s: the guard's Role does not allow what the page reads: %s", pod, events.Text())
			}
		}
		if !seen {
			t.Errorf("%s shows no rollout: %v", pod, events.Err())
		}
	})
}
