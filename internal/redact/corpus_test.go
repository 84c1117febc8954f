package redact

import (
	_ "embed"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	//go:embed testdata/secrets.txt
	secretsFile string
	//go:embed testdata/harmless.txt
	harmlessFile string
)

// alphabets are the classes of the placeholders in testdata.
var alphabets = map[string]string{
	"a": "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789",
	"h": "0123456789abcdef", "U": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "d": "0123456789",
	"b": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
}

var placeholder = regexp.MustCompile(`<(\d+)([ahUdb])>`)

// filled replaces the placeholders of a line by random text.
func filled(line string, random *rand.Rand) string {
	line = strings.NewReplacer("~~", "~", "~", "", "␤", "\n", "␛", "\x1b").Replace(line)
	return placeholder.ReplaceAllStringFunc(line, func(found string) string {
		parts := placeholder.FindStringSubmatch(found)
		length, _ := strconv.Atoi(parts[1])
		text := make([]byte, length)
		for i := range text {
			text[i] = alphabets[parts[2]][random.IntN(len(alphabets[parts[2]]))]
		}
		// A random word has digits among its letters; so have those of the corpus, whatever the dice say.
		if length >= 8 {
			text[1], text[length/2], text[length-2] = '4', '7', '2'
		}
		return string(text)
	})
}

// corpus lists the lines of a file of testdata, filled in.
func corpus(file string, seed uint64) []string {
	random := rand.New(rand.NewPCG(seed, 1))
	var lines []string
	for line := range strings.Lines(file) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, filled(line, random))
		}
	}
	return lines
}

// planted takes a line of secrets.txt apart: its text, and the secrets in it.
func planted(line string) (text string, secrets []string) {
	for {
		before, rest, marked := strings.Cut(line, "«")
		text += before
		if !marked {
			return text, secrets
		}
		secret, after, _ := strings.Cut(rest, "»")
		text, line, secrets = text+secret, after, append(secrets, secret)
	}
}

func TestPlantedSecretsAreRemoved(t *testing.T) {
	lines, missed := corpus(secretsFile, 1), 0
	for _, line := range lines {
		text, secrets := planted(line)
		got := Text(text, nil)
		leaked := Kind(text) == ""
		for _, secret := range secrets {
			leaked = leaked || strings.Contains(got, secret)
		}
		if leaked {
			missed++
			t.Errorf("%q becomes %q; a policy sees %q", text, got, Kind(text))
		}
	}
	t.Logf("planted secrets: %d of %d removed", len(lines)-missed, len(lines))
	if len(lines) < 200 {
		t.Errorf("the corpus holds %d secrets, want at least 200", len(lines))
	}
}

func TestHarmlessTextsStay(t *testing.T) {
	lines, wrong := corpus(harmlessFile, 2), 0
	for _, line := range lines {
		if got := Text(line, nil); got != line || Kind(line) != "" {
			wrong++
			t.Errorf("%q becomes %q; a policy sees %q", line, got, Kind(line))
		}
	}
	t.Logf("false alarms: %d of %d look-alikes", wrong, len(lines))
	if len(lines) < 200 {
		t.Errorf("the corpus holds %d look-alikes, want at least 200", len(lines))
	}
}
