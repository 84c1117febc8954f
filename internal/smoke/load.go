package smoke

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	// defaultSuite is the name of the embedded suite that an empty path stands for.
	defaultSuite = "finance-service"
	// maxFileBytes bounds a suite file, so that a wrong path (an image, a log) is refused and not read in.
	maxFileBytes = 1 << 20
)

//go:embed suites/*.yaml
var embedded embed.FS

// suiteFile is a suite as it is written.
type suiteFile struct {
	Name        string         `yaml:"name"`
	Description string         `yaml:"description"`
	MaxRequests int            `yaml:"maxRequests"`
	ExemptPaths []string       `yaml:"exemptPaths"`
	Timeout     *time.Duration `yaml:"timeout"`
	Checks      []checkFile    `yaml:"checks"`
}

// checkFile is a check as it is written: with a list of steps, or with the fields of its only step.
type checkFile struct {
	Name        string         `yaml:"name"`
	Description string         `yaml:"description"`
	Kind        Kind           `yaml:"kind"`
	Timeout     *time.Duration `yaml:"timeout"`
	Latency     *Latency       `yaml:"latency"`
	Steps       []Step         `yaml:"steps"`

	Request  *Request                `yaml:"request"`
	Expect   *Expectation            `yaml:"expect"`
	ExpectIn map[string]*Expectation `yaml:"expectIn"`
}

// Find is the path of a suite whose relative path begins in the project's folder, where the stack's file lies. Where
// there is no such file, the path begins in the working directory. The name of an embedded suite stays as it is.
func Find(dir, file string) string {
	if file == "" || file == defaultSuite || dir == "" || filepath.IsAbs(file) {
		return file
	}
	inProject := filepath.Join(dir, file)
	if _, err := os.Stat(inProject); err != nil {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return inProject
}

// Source returns the input of [LoadSource]: the name of an embedded suite unchanged, or the whole text of a file, so
// that the guard can run a suite whose file it lacks. Its errors are those of [Load].
func Source(file string) (string, error) {
	if file == "" || file == defaultSuite {
		return defaultSuite, nil
	}
	data, err := readFile(file)
	if err != nil {
		return "", err
	}
	if _, err := Parse(file, data); err != nil {
		return "", err
	}
	return string(data), nil
}

// LoadSource reads a suite from what Source gives.
func LoadSource(source string) (*Suite, error) {
	if source == "" || source == defaultSuite {
		return Load(source)
	}
	return Parse("the suite of the configuration", []byte(source))
}

// Load reads a suite. The empty path and "finance-service" mean the embedded suite of the finance service, anything
// else is a file. An error names the file, the check and the field that is wrong, and what is allowed there.
func Load(file string) (*Suite, error) {
	if file == "" || file == defaultSuite {
		name := path.Join("suites", defaultSuite+".yaml")
		data, err := embedded.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the embedded smoke suite: %w", err)
		}
		return Parse(name, data)
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, data)
}

func readFile(file string) ([]byte, error) {
	data, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("read smoke suite %q (allowed: %q or the path of a YAML file): %w", file, defaultSuite, err)
	}
	return data, nil
}

// readBounded reads a file that is not too large for a suite.
func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	return data, nil
}

// Parse reads a suite from YAML; file is its name in errors. Unknown and duplicate fields, anchors and a second
// document are refused, so that a misspelled expectation never silently expects nothing.
func Parse(file string, data []byte) (*Suite, error) {
	suite, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("smoke suite %s: %w", file, err)
	}
	return suite, nil
}

func parse(data []byte) (*Suite, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; it needs name, maxRequests and checks")
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document; put all checks into one list")
	}
	var written suiteFile
	if err := decodeStrict(&document, &written); err != nil {
		return nil, err
	}
	suite, err := written.suite()
	if err != nil {
		return nil, err
	}
	if err := suite.validate(); err != nil {
		return nil, err
	}
	return suite, nil
}

// suite applies the defaults and turns the short form of a check into a list of one step.
func (f *suiteFile) suite() (*Suite, error) {
	suite := &Suite{
		Name:        f.Name,
		Description: f.Description,
		MaxRequests: f.MaxRequests,
		ExemptPaths: f.ExemptPaths,
		Timeout:     defaultTimeout,
	}
	if f.Timeout != nil {
		suite.Timeout = *f.Timeout
	}
	for _, written := range f.Checks {
		check, err := written.check(suite.Timeout)
		if err != nil {
			return nil, inCheck(written.Name, err)
		}
		suite.Checks = append(suite.Checks, check)
	}
	return suite, nil
}

func (f *checkFile) check(timeout time.Duration) (Check, error) {
	check := Check{
		Name:        f.Name,
		Description: f.Description,
		Kind:        f.Kind,
		Timeout:     timeout,
		Latency:     f.Latency,
		Steps:       f.Steps,
	}
	if check.Kind == "" {
		check.Kind = KindHTTP
	}
	if f.Timeout != nil {
		check.Timeout = *f.Timeout
	}
	short := f.Request != nil || f.Expect != nil || f.ExpectIn != nil
	switch {
	case short && len(f.Steps) > 0:
		return Check{}, errors.New("has steps and also a request or expectation of its own; move those into a step")
	case short && f.Request == nil:
		return Check{}, errors.New("request: missing")
	case short:
		check.Steps = []Step{{Request: *f.Request, Expect: f.Expect, ExpectIn: f.ExpectIn}}
	case len(f.Steps) == 0:
		return Check{}, errors.New("needs either request and expect, or steps")
	}
	for i := range check.Steps {
		if check.Steps[i].Request.Method == "" {
			check.Steps[i].Request.Method = "GET"
		}
	}
	return check, nil
}
