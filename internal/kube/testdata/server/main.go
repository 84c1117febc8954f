// Command server is the process in the pods of this package's end-to-end tests.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	fmt.Println("server begins")
	if os.Getenv("CRASH") != "" {
		fmt.Println("server crashes")
		os.Exit(3)
	}
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = w.Write(body)
	})
	http.HandleFunc("/pod", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getenv("HOSTNAME")) })
	http.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) { time.Sleep(time.Second) })
	log.Fatal(http.ListenAndServe(":8080", nil))
}
