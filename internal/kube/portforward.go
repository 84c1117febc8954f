package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

const (
	// maxIdleConns is how many connections to a pod are kept for the next requests.
	maxIdleConns = 8
	// forwardErrorWait is how long the end of a stream waits for the node's reason for it.
	forwardErrorWait = time.Second
)

// PodClient gives an HTTP client for a port of a pod, and the base URL to use with it. Requests travel through the
// API server by port-forward, each connection as a stream of its own, kept alive between requests; nothing listens
// locally. The client follows redirects and has no timeout of its own: give every request a context. It reaches this
// port whatever host a URL names. end ends all connections.
func (c *Client) PodClient(ctx context.Context, namespace, pod string, port int) (client *http.Client, baseURL string,
	end func(), err error) {
	if port < 1 || port > 65535 {
		return nil, "", nil, fmt.Errorf("port %d of pod %s/%s: allowed are 1 to 65535", port, namespace, pod)
	}
	target := c.clientset.CoreV1().RESTClient().Post().Namespace(
		namespace).Resource("pods").Name(pod).SubResource("portforward").URL()
	forwarder := &forwarder{
		name: fmt.Sprintf("%s/%s:%d", namespace, pod, port), port: port,
		dialer: func() (httpstream.Dialer, error) { return streamDialer(c.config, target) },
	}
	// Connecting here finds a pod that does not exist, or may not be reached, before the first request.
	if _, err := forwarder.connection(ctx); err != nil {
		return nil, "", nil, err
	}
	transport := &http.Transport{
		DialContext: forwarder.DialContext, MaxIdleConnsPerHost: maxIdleConns, IdleConnTimeout: 90 * time.Second,
	}
	closeAll := func() {
		transport.CloseIdleConnections()
		forwarder.Close()
	}
	return &http.Client{Transport: transport}, "http://" + net.JoinHostPort(pod, strconv.Itoa(port)), closeAll, nil
}

// streamDialer prefers WebSockets and falls back to SPDY, which API servers before 1.30 and some proxies need.
func streamDialer(config *rest.Config, target *url.URL) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	fallback := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	websocket, err := portforward.NewSPDYOverWebsocketDialer(target, config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialer(websocket, fallback, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// forwarder opens streams to one port of a pod over one connection to the API server, which it renews when it is lost.
type forwarder struct {
	name   string
	port   int
	dialer func() (httpstream.Dialer, error)

	mu     sync.Mutex
	conn   httpstream.Connection
	nextID int
	closed bool
}

// connection gives the connection to the API server, a new one when there is none or it was lost.
func (f *forwarder) connection(ctx context.Context) (httpstream.Connection, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, fmt.Errorf("port-forward to %s: %w", f.name, net.ErrClosed)
	}
	if f.conn != nil {
		select {
		case <-f.conn.CloseChan():
		default:
			return f.conn, nil
		}
	}
	// Bounded, because others wait for the lock meanwhile.
	ctx, cancel := bounded(ctx)
	defer cancel()
	conn, err := abandonable(ctx, f.dial, func(late httpstream.Connection) { _ = late.Close() })
	if err != nil {
		return nil, fmt.Errorf("port-forward to %s: %w", f.name, err)
	}
	f.conn = conn
	return conn, nil
}

func (f *forwarder) dial() (httpstream.Connection, error) {
	dialer, err := f.dialer()
	if err != nil {
		return nil, err
	}
	conn, protocol, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	if protocol != portforward.PortForwardProtocolV1Name {
		return nil, errors.Join(fmt.Errorf("the server speaks %q, not %q", protocol, portforward.PortForwardProtocolV1Name),
			conn.Close())
	}
	return conn, nil
}

// DialContext opens a stream. Its signature is that of http.Transport; where to is already decided. A connection can
// be lost before anybody notices; a stream that cannot be opened is therefore tried once more, on a new connection.
func (f *forwarder) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	stream, lost, err := f.openStream(ctx)
	if err != nil && lost != nil && ctx.Err() == nil {
		f.drop(lost)
		stream, _, err = f.openStream(ctx)
	}
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// openStream opens a stream on the connection that there is. When that fails, it also gives the connection.
func (f *forwarder) openStream(ctx context.Context) (*streamConn, httpstream.Connection, error) {
	conn, err := f.connection(ctx)
	if err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	id := f.nextID
	f.nextID++
	f.mu.Unlock()
	stream, err := abandonable(ctx,
		func() (*streamConn, error) { return f.open(conn, id) },
		func(late *streamConn) { _ = late.Close() })
	if err != nil {
		return nil, conn, fmt.Errorf("port-forward to %s: %w", f.name, err)
	}
	return stream, nil, nil
}

// drop forgets a connection that streams cannot be opened on, unless another one has taken its place.
func (f *forwarder) drop(conn httpstream.Connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn == conn {
		f.conn = nil
	}
	_ = conn.Close()
}

// open makes the pair of streams that the protocol wants: errors of the node first, then the data.
func (f *forwarder) open(conn httpstream.Connection, id int) (*streamConn, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(f.port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(id))
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	failures, err := conn.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("open error stream: %w", err)
	}
	// Nothing is written to it; the node waits for its end.
	_ = failures.Close()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := conn.CreateStream(headers)
	if err != nil {
		_ = failures.Reset()
		conn.RemoveStreams(failures)
		return nil, fmt.Errorf("open data stream: %w", err)
	}
	stream := &streamConn{Stream: data, name: f.name, failed: make(chan struct{})}
	stream.release = sync.OnceValue(func() error {
		err := data.Reset()
		_ = failures.Reset()
		conn.RemoveStreams(failures, data)
		return err
	})
	go func() {
		defer close(stream.failed)
		if message, err := io.ReadAll(failures); err == nil && len(message) > 0 {
			stream.failure = errors.New(strings.TrimSpace(string(message)))
		}
	}()
	return stream, nil
}

// Close ends the connection and with it all streams.
func (f *forwarder) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.conn != nil {
		_ = f.conn.Close()
	}
}

// streamConn is a data stream as a net.Conn.
type streamConn struct {
	httpstream.Stream
	name    string
	release func() error
	// failed is closed when the node has said all it has to say; failure is then its reason, if there is one.
	failed  chan struct{}
	failure error
}

// Read reads the data. Its end, when the node closed the stream because it could not forward, is that reason.
func (s *streamConn) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if n > 0 || err == nil {
		return n, err
	}
	select {
	case <-s.failed:
		if s.failure != nil {
			return 0, fmt.Errorf("port-forward to %s: %w", s.name, s.failure)
		}
	case <-time.After(forwardErrorWait):
	}
	return 0, err
}

// Close ends both directions at once, so that a blocked Read returns.
func (s *streamConn) Close() error { return s.release() }

func (s *streamConn) LocalAddr() net.Addr  { return streamAddr("local") }
func (s *streamConn) RemoteAddr() net.Addr { return streamAddr(s.name) }

// The deadlines of a stream would be those of the connection that all streams share. http.Transport sets none.

func (s *streamConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (s *streamConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (s *streamConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

type streamAddr string

func (streamAddr) Network() string  { return "portforward" }
func (a streamAddr) String() string { return string(a) }

// abandonable runs a function that knows no context, and gives up on it when the context ends. A result that
// comes too late is discarded.
func abandonable[T any](ctx context.Context, f func() (T, error), discard func(T)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := f()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				discard(o.value)
			}
		}()
		var none T
		return none, context.Cause(ctx)
	}
}
