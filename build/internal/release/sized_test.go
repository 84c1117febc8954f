package release

import (
	"bytes"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
)

// running is an image with a user and one layer of a size, and nothing else.
func running(user string, size int) v1.Image { return sized{empty.Image, user, size} }

type sized struct {
	v1.Image
	user string
	size int
}

func (s sized) ConfigFile() (*v1.ConfigFile, error) {
	return &v1.ConfigFile{Config: v1.Config{User: s.user}}, nil
}

func (s sized) Layers() ([]v1.Layer, error) { return []v1.Layer{zeros{size: s.size}}, nil }

// zeros is a layer of them.
type zeros struct {
	v1.Layer
	size int
}

func (z zeros) Uncompressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(make([]byte, z.size))), nil
}
