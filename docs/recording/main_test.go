package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

const output = `building
===== week 1 runs =====

Pods in production
NAME  TRACK
a     canary   week1

Smoke suite against staging
  passed  liveness  1ms

Smoke suite against the canary in production
  passed  latency  1ms  <500ms

Where to look next
  . env
`

func TestDraw(t *testing.T) {
	var picture strings.Builder
	if err := draw(strings.NewReader(output), &picture); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(picture.String(), nbsp, " ")
	for _, want := range []string{"Pods in production", `fill="#d29922">a     canary   week1`, "in production</text>",
		"&lt;500ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture lacks %q:\n%s", want, text)
		}
	}
	for _, unwanted := range []string{"building</text>", "staging", "liveness", ". env"} {
		if strings.Contains(text, unwanted) {
			t.Errorf("the picture holds %q", unwanted)
		}
	}
	for decoder := xml.NewDecoder(strings.NewReader(picture.String())); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := draw(strings.NewReader("error: no cluster\n"), io.Discard); err == nil {
		t.Error("an output that broke off is drawn")
	}
}
