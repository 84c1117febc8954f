// Command pause runs in a pod's sandbox: it holds the pod's namespaces open until it gets a signal.
// It imports nothing beyond the standard library, so that thirty of them stay small.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
