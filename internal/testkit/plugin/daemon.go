package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// daemon is a Docker daemon behind its API.
type daemon struct{ client *http.Client }

// newDaemon reaches the daemon at the address of a socket, unix:///run/docker.sock for example; empty for that one.
func newDaemon(address string) *daemon {
	socket := cmp.Or(strings.TrimPrefix(address, "unix://"), "/var/run/docker.sock")
	return &daemon{client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

type login struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Server   string `json:"serveraddress,omitempty"`
}

func (d *daemon) ping(ctx context.Context) error {
	return d.call(ctx, http.MethodGet, "/_ping", nil, nil, func(io.Reader) error { return nil })
}

// build builds the image of an order.
func (d *daemon) build(ctx context.Context, wanted order) error {
	dockerfile, err := filepath.Rel(wanted.folder, wanted.dockerfile)
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	if err := writer.AddFS(os.DirFS(wanted.folder)); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	args, err := json.Marshal(wanted.args)
	if err != nil {
		return err
	}
	query := url.Values{"t": {wanted.name}, "dockerfile": {dockerfile}, "target": {wanted.target},
		"buildargs": {string(args)}, "rm": {"1"}, "version": {"1"}}
	header := http.Header{"Content-Type": {"application/x-tar"}}
	return d.call(ctx, http.MethodPost, "/build?"+query.Encode(), header, &archive, func(answer io.Reader) error {
		return eachMessage(answer, func(message) {})
	})
}

// push pushes the image, and gives the digest that the registry has it by.
func (d *daemon) push(ctx context.Context, name string, credentials login) (digest string, err error) {
	repository, tag := splitTag(name)
	auth, err := json.Marshal(credentials) //nolint:gosec // the daemon takes the login in this form
	if err != nil {
		return "", err
	}
	header := http.Header{"X-Registry-Auth": {base64.URLEncoding.EncodeToString(auth)}}
	path := "/images/" + repository + "/push?" + url.Values{"tag": {tag}}.Encode()
	err = d.call(ctx, http.MethodPost, path, header, nil, func(answer io.Reader) error {
		return eachMessage(answer, func(m message) { digest = cmp.Or(m.Aux.Digest, digest) })
	})
	return digest, err
}

func (d *daemon) call(ctx context.Context, method, path string, header http.Header, body io.Reader,
	read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		return err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	answer, err := d.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		return fmt.Errorf("the daemon answered with status %d: %s", answer.StatusCode, text)
	}
	return read(answer.Body)
}

// message is one of those that a daemon sends while it works.
type message struct {
	Error string `json:"error"`
	Aux   struct {
		Digest string `json:"Digest"`
	} `json:"aux"`
}

func eachMessage(answer io.Reader, visit func(message)) error {
	decoder := json.NewDecoder(answer)
	for {
		var m message
		err := decoder.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Error != "":
			return errors.New(m.Error)
		}
		visit(m)
	}
}

func splitTag(name string) (repository, tag string) {
	colon := strings.LastIndex(name, ":")
	return name[:colon], name[colon+1:]
}

// digestOf changes with every file of the context and with the Dockerfile.
func digestOf(folder, dockerfile string) (string, error) {
	hash := sha256.New()
	content, err := os.ReadFile(dockerfile)
	if err != nil {
		return "", err
	}
	hash.Write(content)
	files := os.DirFS(folder)
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		fmt.Fprintf(hash, "%s %d\n", path, len(content))
		hash.Write(content)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil)), err
}
