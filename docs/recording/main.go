// Command recording draws the end of `make demo` as the README's picture: it reads the demo's output and writes an SVG.
//
//	make demo 2>&1 | tee demo.log
//	go run ./docs/recording <demo.log >docs/demo.svg
package main

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	line, top, side = 17, 44, 18
	width           = 880
	green, amber    = "#7ee787", "#d29922"
	// nbsp keeps the columns: browsers differ in how they preserve spaces.
	nbsp = "\u00a0"
)

func main() {
	if err := draw(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// draw writes the picture of the demo's summary, without the suite against staging and the hints at the end.
func draw(in io.Reader, out io.Writer) error {
	lines, err := summary(in)
	if err != nil {
		return err
	}
	height := top + line*len(lines) + side
	var picture strings.Builder
	fmt.Fprintf(&picture, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="The end of make demo: pods by track, measured share, smoke suite and metric gate">
<rect width="%d" height="%d" rx="8" fill="#0d1117"/>
<circle cx="20" cy="18" r="6" fill="#ff5f56"/><circle cx="40" cy="18" r="6" fill="#ffbd2e"/><circle cx="60" cy="18" r="6" fill="#27c93f"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="13" fill="#e6edf3">
`, width, height, width, height)
	for i, text := range lines {
		fmt.Fprintf(&picture, `<text x="%d" y="%d"%s>`, side, top+line*i, style(text))
		if err := xml.EscapeText(&picture, []byte(strings.ReplaceAll(text, " ", nbsp))); err != nil {
			return err
		}
		picture.WriteString("</text>\n")
	}
	picture.WriteString("</g>\n</svg>\n")
	_, err = io.WriteString(out, picture.String())
	return err
}

func summary(in io.Reader) ([]string, error) {
	lines := []string{"$ make demo", "… (building, starting, two times pulumi up)", ""}
	scanner, begun, skipped := bufio.NewScanner(in), false, false
	for scanner.Scan() {
		text := strings.TrimRight(scanner.Text(), " ")
		begun = begun || strings.HasPrefix(text, "=====")
		heading := text != "" && text[0] >= 'A' && text[0] <= 'Z'
		switch {
		case !begun:
			continue
		case strings.HasPrefix(text, "Where to look next"):
			return lines[:len(lines)-1], nil
		case heading:
			skipped = strings.HasSuffix(text, "against staging")
		}
		if !skipped {
			lines = append(lines, text)
		}
	}
	return nil, errors.Join(errors.New("the input is not a complete output of `make demo`"), scanner.Err())
}

func style(text string) string {
	switch {
	case strings.HasPrefix(text, "$"), strings.Contains(text, " passed "), strings.Contains(text, " pass "):
		return ` fill="` + green + `"`
	case strings.HasPrefix(text, "…"):
		return ` fill="#8b949e"`
	case strings.Contains(text, "   canary   "), strings.Contains(text, " failed  "), strings.Contains(text, " fail  "):
		return ` fill="` + amber + `"`
	case strings.HasPrefix(text, "="), strings.HasPrefix(text, "Pods"), strings.HasPrefix(text, "Requests"),
		strings.HasPrefix(text, "Smoke"), strings.HasPrefix(text, "Metric"):
		return ` font-weight="bold"`
	}
	return ""
}
