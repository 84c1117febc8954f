// Command pause is what a pod's sandbox runs: it holds the pod's namespaces open and ends when it is told to.
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
