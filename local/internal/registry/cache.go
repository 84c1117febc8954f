package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/vextrus/finance-rollout/build/images"
)

// Cache remembers which image a binary gave, so that an unchanged one is not built and pushed again.
type Cache struct {
	path string
}

// entry is the outcome of one push.
type entry struct {
	// Source identifies the binary and how the image is made from it.
	Source    string `json:"source"`
	Reference string `json:"reference"`
}

// OpenCache returns the cache in that file, which need not exist.
func OpenCache(path string) Cache {
	return Cache{path: path}
}

// Push makes sure that the registry holds the image and returns its reference by digest.
func (c Cache) Push(ctx context.Context, image images.Image, registry, repository, tag string) (string, error) {
	info, err := os.Stat(image.Binary)
	if err != nil {
		return "", err
	}
	source := fmt.Sprint(info.Size(), info.ModTime().UnixNano(), image, registry)
	entries := c.read()
	if known := entries[repository]; known.Source == source && Exists(ctx, known.Reference) {
		return known.Reference, nil
	}
	built, err := image.Build()
	if err != nil {
		return "", err
	}
	reference, err := Push(ctx, built, registry, repository, tag)
	if err != nil {
		return "", err
	}
	entries[repository] = entry{Source: source, Reference: reference}
	return reference, c.write(entries)
}

// read returns the remembered images. It treats an unreadable file as empty.
func (c Cache) read() map[string]entry {
	entries := map[string]entry{}
	content, err := os.ReadFile(c.path)
	if err != nil || json.Unmarshal(content, &entries) != nil {
		return map[string]entry{}
	}
	return entries
}

func (c Cache) write(entries map[string]entry) error {
	content, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.path+".tmp", content, 0o644); err != nil {
		return err
	}
	return os.Rename(c.path+".tmp", c.path)
}
