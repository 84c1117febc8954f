// Package portforward is the server's side of a port-forward, for tests. It imports nothing of the module, so that
// the tests of internal/kube can use it too.
package portforward

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/client-go/tools/portforward"
)

// Node forwards every port to one address, as a kubelet would. It speaks SPDY alone, so that every test also goes
// through the fallback from WebSockets; the end-to-end tests go the other way. It is safe for concurrent use.
type Node struct {
	// Upgrades counts the connections that were opened.
	Upgrades atomic.Int64

	address     atomic.Value // of string
	connections sync.Map     // of httpstream.Connection
}

// NewNode forwards to that address, such as "127.0.0.1:8080".
func NewNode(address string) *Node {
	n := &Node{}
	n.Forward(address)
	return n
}

// Forward sends the streams that are opened from now on to another address.
func (n *Node) Forward(address string) { n.address.Store(address) }

// Disconnect closes every connection.
func (n *Node) Disconnect() {
	n.connections.Range(func(conn, _ any) bool {
		_ = conn.(httpstream.Connection).Close()
		return true
	})
}

// ServeHTTP answers the portforward subresource of a pod.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "only SPDY here", http.StatusBadRequest)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		go func() { streams <- stream }()
		return nil
	})
	if conn == nil {
		return
	}
	n.Upgrades.Add(1)
	n.connections.Store(conn, nil)
	failures := map[string]httpstream.Stream{}
	pending := map[string]httpstream.Stream{}
	for {
		select {
		case <-conn.CloseChan():
			return
		case stream := <-streams:
			id := stream.Headers().Get(corev1.PortForwardRequestIDHeader)
			if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				failures[id] = stream
			} else {
				pending[id] = stream
			}
			if failures[id] != nil && pending[id] != nil {
				go n.forward(pending[id], failures[id])
			}
		}
	}
}

func (n *Node) forward(data, failures httpstream.Stream) {
	defer failures.Close()
	defer data.Close()
	target, err := net.Dial("tcp", n.address.Load().(string))
	if err != nil {
		fmt.Fprint(failures, "node: ", err)
		return
	}
	go func() {
		_, _ = io.Copy(target, data)
		_ = target.Close()
	}()
	_, _ = io.Copy(data, target)
}
