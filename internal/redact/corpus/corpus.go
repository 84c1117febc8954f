// Package corpus holds texts to measure the redaction by: planted secrets, and harmless texts that look like one.
// Nothing in it is or was a credential: placeholders are filled by chance, from a seed.
package corpus

import (
	_ "embed"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
)

var (
	//go:embed secrets.txt
	secrets string
	//go:embed harmless.txt
	harmless string
)

// Planted is a text that holds secrets.
type Planted struct {
	Text string
	// Secrets are the parts of it that must not be shown.
	Secrets []string
}

// Secrets are the texts with planted secrets, filled from a seed.
func Secrets(seed uint64) []Planted { return Plant(secrets, seed) }

// Harmless are the texts that look like a credential and hold none, filled from a seed.
func Harmless(seed uint64) []string { return lines(harmless, seed) }

// Plant reads planted secrets in the notation of secrets.txt, one a line.
func Plant(document string, seed uint64) []Planted {
	var all []Planted
	for _, line := range lines(document, seed) {
		all = append(all, apart(line))
	}
	return all
}

// alphabets are the classes of the placeholders.
var alphabets = map[string]string{
	"a": "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789",
	"h": "0123456789abcdef", "U": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "d": "0123456789",
	"b": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
}

var placeholder = regexp.MustCompile(`<(\d+)([ahUdb])>`)

// lines lists the lines of a document that are no comment, filled.
func lines(document string, seed uint64) []string {
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same texts for the same seed are what is wanted
	var list []string
	for line := range strings.Lines(document) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, filled(line, random))
		}
	}
	return list
}

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

// apart takes a line of secrets.txt apart.
func apart(line string) Planted {
	var planted Planted
	for {
		before, rest, marked := strings.Cut(line, "«")
		planted.Text += before
		if !marked {
			return planted
		}
		secret, after, _ := strings.Cut(rest, "»")
		planted.Text, line = planted.Text+secret, after
		planted.Secrets = append(planted.Secrets, secret)
	}
}
