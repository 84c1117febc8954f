package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/portforward"
)

func podClient(t *testing.T, n *portforward.Node) (*http.Client, string, func()) {
	t.Helper()
	client := apiServer(t, n.ServeHTTP)
	t.Cleanup(n.Disconnect)
	pod, base, closePod, err := client.PodClient(t.Context(), "shop", "finance-1", 3014)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closePod)
	return pod, base, closePod
}

func backend(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return address.Host
}

func get(ctx context.Context, client *http.Client, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestPodClientKeepsConnections(t *testing.T) {
	n := &portforward.Node{}
	n.Forward(backend(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, r.URL.Path) }))
	client, base, _ := podClient(t, n)
	fresh := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if !info.Reused {
			fresh++
		}
	}})
	for i := range 20 {
		want := fmt.Sprintf("finance-1:3014/%d", i)
		if got, err := get(ctx, client, fmt.Sprintf("%s/%d", base, i)); err != nil || got != want {
			t.Fatalf("request %d: %q, %v; want %q", i, got, err, want)
		}
	}
	if fresh != 1 {
		t.Errorf("20 requests in turn took %d connections, want 1", fresh)
	}
}

func TestPodClientInParallel(t *testing.T) {
	const count = 16
	var inside sync.WaitGroup
	inside.Add(count)
	n := &portforward.Node{}
	// Every request waits for all the others: were they served one after the other, none would end.
	n.Forward(backend(t, func(w http.ResponseWriter, r *http.Request) {
		inside.Done()
		inside.Wait()
		fmt.Fprint(w, r.URL.Path)
	}))
	client, base, _ := podClient(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var requests sync.WaitGroup
	for i := range count {
		requests.Go(func() {
			path := fmt.Sprintf("/%d", i)
			if got, err := get(ctx, client, base+path); err != nil || got != path {
				t.Errorf("got %q, %v; want %q", got, err, path)
			}
		})
	}
	requests.Wait()
	if got := n.Upgrades.Load(); got != 1 {
		t.Errorf("%d connections to the API server, want 1", got)
	}
}

func TestPodClientLargeBodies(t *testing.T) {
	n := &portforward.Node{}
	n.Forward(backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	}))
	client, base, _ := podClient(t, n)
	const size = 4 << 20
	response, err := client.Post(base, "application/octet-stream", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.Copy(io.Discard, response.Body); err != nil || got != size {
		t.Errorf("got %d bytes back, %v; want %d", got, err, size)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A refused connection is told with the node's reason, and the next request may succeed.
func TestPodClientRecovers(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	n := &portforward.Node{}
	n.Forward(closed.Listener.Addr().String())
	client, base, _ := podClient(t, n)
	_, err := get(t.Context(), client, base)
	testkit.WantError(t, err, "port-forward to shop/finance-1:3014", "node: dial tcp", "connection refused")

	n.Forward(backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") }))
	if got, err := get(t.Context(), client, base); err != nil || got != "up" {
		t.Errorf("once it listens: %q, %v", got, err)
	}
	n.Disconnect()
	if got, err := get(t.Context(), client, base); err != nil || got != "up" {
		t.Errorf("after the connection to the API server was lost: %q, %v", got, err)
	}
}

func TestPodClientGivesUpWithItsContext(t *testing.T) {
	release := make(chan struct{})
	n := &portforward.Node{}
	n.Forward(backend(t, func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release) })
	client, base, _ := podClient(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := get(ctx, client, base); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("request: %v, want one for the deadline", err)
	}
	silent := apiServer(t, func(http.ResponseWriter, *http.Request) { <-release })
	if _, _, _, err := silent.PodClient(ctx, "shop", "finance-1", 3014); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("connect: %v, want one for the deadline", err)
	}
}

func TestPodClientClosed(t *testing.T) {
	n := &portforward.Node{}
	n.Forward(backend(t, func(http.ResponseWriter, *http.Request) {}))
	client, base, closePod := podClient(t, n)
	if _, err := get(t.Context(), client, base); err != nil {
		t.Fatal(err)
	}
	closePod()
	if _, err := get(t.Context(), client, base); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v, want %v", err, net.ErrClosed)
	}
}

func TestPodClientRefuses(t *testing.T) {
	missing := apiServer(t, answer(http.StatusNotFound,
		`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"pods \"gone\" not found","reason":"NotFound","code":404}`))
	_, _, _, err := missing.PodClient(t.Context(), "shop", "gone", 3014)
	testkit.WantError(t, err, "port-forward to shop/gone:3014", `pods "gone" not found`)
	_, _, _, err = missing.PodClient(t.Context(), "shop", "gone", 0)
	testkit.WantError(t, err, "port 0 of pod shop/gone", "1 to 65535")
}
