package simulate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// onDisk writes files into a new folder and returns their paths, in the order of the texts.
func onDisk(t *testing.T, ending string, texts ...string) []string {
	t.Helper()
	var files []string
	for i, text := range texts {
		file := filepath.Join(t.TempDir(), string(rune('a'+i))+ending)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// What --save wrote is judged as the traffic that was generated.
func TestSavedTrafficIsJudgedAlike(t *testing.T) {
	traffic, err := generator(func(m *Generator) { m.Duration, m.Canary.Errors = time.Hour, 0.33 }).Traffic()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "traffic.csv")
	if err := Save(file, traffic); err != nil {
		t.Fatal(err)
	}
	recording, err := ReadFiles([]string{file}, gate.DefaultMetrics(), "", 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	fromFile, err := Run(t.Context(), recording, testLimits())
	if err != nil {
		t.Fatal(err)
	}
	if recording, err = traffic.Recording(500 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	want, err := Run(t.Context(), recording, testLimits())
	if err != nil || fromFile.String() != want.String() || want.Outcome().Action != RolledBack {
		t.Errorf("from the file\n%s\nwant\n%s\n%v", fromFile, want, err)
	}
}

func TestNoFileIsOverwritten(t *testing.T) {
	file := onDisk(t, ".csv", "mine")[0]
	err := Save(file, Traffic{})
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "name a file that does not exist") {
		t.Errorf("error %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("the file has %q: %v", text, err)
	}
}

// A range that is too long for one query is exported in several, which make one record.
func TestExportsOfSeveralFilesMakeOneRecord(t *testing.T) {
	const canary = `{"metric":{"__name__":"http_requests_total","track":"canary","code":"200"},` +
		`"values":[[1000,"5"],[1015,"15"]]}`
	const stable = `{"metric":{"__name__":"http_requests_total","track":"stable","code":"200"},` +
		`"values":[[1000,"50"],[1015,"90"]]}`
	response := func(series string) string {
		return `{"status":"success","data":{"resultType":"matrix","result":[` + series + `]}}`
	}
	files := onDisk(t, ".JSON", response(canary), response(stable))
	recording, err := ReadFiles(files, gate.DefaultMetrics(), "", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if canary, stable, err := recording.totals(testLimits()); err != nil || canary.N != 10 || stable.N != 40 {
		t.Errorf("canary %+v, stable %+v, %v", canary, stable, err)
	}
	if _, err := ReadFiles(files[1:], gate.DefaultMetrics(), "", time.Second); err == nil ||
		!strings.HasPrefix(err.Error(), files[1]+": no series of http_requests_total") {
		t.Errorf("without the canary: %v", err)
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	csv := onDisk(t, ".csv", "time,track,n,k\n15s,blue,1,0\n", "time,track,n,k\n15s,canary,1,0\n30s,canary,1,0\n")
	json := onDisk(t, ".json", small)
	gone := filepath.Join(t.TempDir(), "gone")
	for name, tt := range map[string]struct {
		files   []string
		latency time.Duration
		want    string
	}{
		"a wrong line":      {csv[:1], time.Second, csv[0] + `: line 2: track "blue"`},
		"several records":   {csv, time.Second, "several files must be exports of Prometheus, whose names end in .json"},
		"no record":         {[]string{gone + ".csv"}, time.Second, "gone.csv: no such file"},
		"one export's lack": {append(json[:1:1], gone+".json"), time.Second, "gone.json: no such file"},
		"no limit":          {csv[1:], 0, "latency limit 0s: allowed are durations above 0"},
	} {
		_, err := ReadFiles(tt.files, gate.DefaultMetrics(), "", tt.latency)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}

// full is a disk that has room for so many more bytes.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

// A record that was cut off by a full disk is an error, wherever that happened.
func TestARecordOnAFullDiskIsAnError(t *testing.T) {
	traffic, err := generator(func(m *Generator) { m.Duration = 2 * time.Hour }).Traffic()
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 4096} {
		if err := WriteCSV(&full{room}, traffic); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("with %d bytes: %v", room, err)
		}
	}
}
