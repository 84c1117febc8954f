// Package registry serves the image registry that the local cluster pulls from, and pushes images to it.
package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	served "github.com/google/go-containerregistry/pkg/registry"
)

// maxManifest bounds an uploaded manifest, in bytes; the registries in wide use accept 4 MiB too.
const maxManifest = 4 << 20

// manifest is an uploaded manifest as it is kept on disk.
type manifest struct {
	Path        string `json:"path"`
	ContentType string `json:"contentType"`
	Body        []byte `json:"body"`
}

// New returns the handler of an image registry that keeps everything in dir. The registry it is built on
// keeps manifests in memory only, so they are written beside the blobs and uploaded again when it starts.
func New(dir string, logger *log.Logger) (http.Handler, error) {
	blobs, manifests := filepath.Join(dir, "blobs"), filepath.Join(dir, "manifests")
	for _, sub := range []string{blobs, manifests} {
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return nil, err
		}
	}
	handler := served.New(served.WithBlobHandler(served.NewDiskBlobHandler(blobs)), served.Logger(logger))
	if err := restore(handler, manifests); err != nil {
		// A registry without an old image is of more use than none.
		logger.Print(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
			handler.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		if answer.Code == http.StatusCreated {
			kept := manifest{Path: r.URL.Path, ContentType: r.Header.Get("Content-Type"), Body: body}
			if err := keep(manifests, kept); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		for key, values := range answer.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}), nil
}

// keep writes one manifest; a later one for the same tag replaces it.
func keep(dir string, m manifest) error {
	content, err := json.Marshal(m)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(m.Path))
	file := filepath.Join(dir, hex.EncodeToString(sum[:])+".json")
	if err := os.WriteFile(file+".tmp", content, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".tmp", file)
}

// restore uploads the kept manifests to the handler. An index refers to manifests that may come after it, so those
// that are refused are tried again as long as others succeed.
func restore(handler http.Handler, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for len(files) > 0 {
		var refused []string
		var cause error
		for _, file := range files {
			if err := upload(handler, file); err != nil {
				refused, cause = append(refused, file), errors.Join(cause, err)
			}
		}
		if len(refused) == len(files) {
			return fmt.Errorf("restore manifests from %s: %w", dir, cause)
		}
		files = refused
	}
	return nil
}

func upload(handler http.Handler, file string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var m manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	request := httptest.NewRequest(http.MethodPut, m.Path, bytes.NewReader(m.Body))
	request.Header.Set("Content-Type", m.ContentType)
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	if answer.Code != http.StatusCreated {
		return fmt.Errorf("%s: status %d: %s", m.Path, answer.Code, strings.TrimSpace(answer.Body.String()))
	}
	return nil
}
