package simulate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// ReadFiles reads a record from one CSV file, or from exports of Prometheus whose names end in .json. Latency is the
// limit of a slow request; metrics and release choose the series of an export, see [ReadExport].
func ReadFiles(names []string, metrics gate.Metrics, release string, latency time.Duration) (*Recording, error) {
	if strings.EqualFold(filepath.Ext(names[0]), ".json") {
		recording, err := readExports(names, metrics, release)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(names, ", "), err)
		}
		return recording, nil
	}
	if len(names) > 1 {
		return nil, errors.New("several files must be exports of Prometheus, whose names end in .json")
	}
	file, err := os.Open(names[0])
	if err != nil {
		return nil, err
	}
	defer file.Close()
	traffic, err := ReadCSV(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", names[0], err)
	}
	return traffic.Recording(latency)
}

func readExports(names []string, metrics gate.Metrics, release string) (*Recording, error) {
	var readers []io.Reader
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close() //nolint:gocritic // ReadExport reads every file before the function returns
		readers = append(readers, file)
	}
	return ReadExport(metrics, release, readers...)
}

// Save writes traffic to a new CSV file.
func Save(name string, traffic Traffic) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("save the traffic: %w: name a file that does not exist", err)
	}
	return errors.Join(WriteCSV(file, traffic), file.Close())
}
