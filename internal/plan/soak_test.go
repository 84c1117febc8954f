package plan

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// checkpoints are those of a soak up to its end.
func checkpoints(soak Soak) []time.Duration {
	var list []time.Duration
	for at := soak.Checkpoint(0); at <= soak.Duration; at = soak.Checkpoint(at) {
		list = append(list, at)
	}
	return list
}

func TestCheckpointsOfTheGuide(t *testing.T) {
	soak := Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	for elapsed, want := range map[time.Duration]time.Duration{
		0:                              15 * time.Minute,
		15 * time.Minute:               30 * time.Minute,
		59 * time.Minute:               time.Hour,
		time.Hour:                      90 * time.Minute,
		6*time.Hour - time.Second:      6 * time.Hour,
		6 * time.Hour:                  7 * time.Hour,
		24 * time.Hour:                 26 * time.Hour,
		47 * time.Hour:                 48 * time.Hour,
		48 * time.Hour:                 52 * time.Hour,
		48*time.Hour + 200*time.Minute: 52 * time.Hour,
		70 * time.Hour:                 72 * time.Hour,
	} {
		if got := soak.Checkpoint(elapsed); got != want {
			t.Errorf("after %v the next checkpoint is at %v, want %v", elapsed, got, want)
		}
	}
	// 4 in hour 1, 10 to hour 6, 18 to hour 24, 12 to hour 48.
	if got := len(checkpoints(soak)); got != 44 {
		t.Errorf("%d checkpoints in 48 hours, want 44", got)
	}
}

func TestAShortSoakHasTheScheduleInProportion(t *testing.T) {
	soak := Soak{Duration: time.Minute, Extension: time.Minute}
	points := checkpoints(soak)
	if len(points) != 44 || points[len(points)-1] != time.Minute {
		t.Errorf("%d checkpoints, the last of %d at %v; want 44 with the last at the end", len(points), len(points),
			points[len(points)-1])
	}
}

func TestCheckpointsAlwaysLieAhead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		soak := Soak{Duration: time.Duration(rapid.Int64Range(1, int64(100*time.Hour)).Draw(t, "soak")), Extension: time.Hour}
		elapsed := time.Duration(rapid.Int64Range(0, int64(200*time.Hour)).Draw(t, "elapsed"))
		next := soak.Checkpoint(elapsed)
		if next <= elapsed {
			t.Fatalf("the checkpoint after %v is at %v", elapsed, next)
		}
		if elapsed < soak.Duration && next > soak.Duration {
			t.Fatalf("no checkpoint at the end %v: the one after %v is at %v", soak.Duration, elapsed, next)
		}
		if !soak.Due(elapsed, next) || soak.Due(elapsed, next-1) {
			t.Fatal("a checkpoint is due from its time on")
		}
	})
}

func TestExtensionsAddUp(t *testing.T) {
	soak := Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	if got := soak.Required(2); got != 96*time.Hour {
		t.Errorf("%v", got)
	}
}

func TestASoakIsChecked(t *testing.T) {
	for want, soak := range map[string]Soak{
		"":                                    {Duration: 48 * time.Hour, Extension: 24 * time.Hour},
		"a soak of -1s: 0 or more is allowed": {Duration: -time.Second, Extension: time.Hour},
		"an extension of 0s: more than 0 is":  {Duration: time.Hour},
		"an extension of -1s: more than 0 is": {Duration: time.Hour, Extension: -time.Second},
	} {
		if err := soak.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", soak, err, want)
		}
	}
	// Nothing is watched, and the next stage needs no soak.
	if err := (Soak{Extension: time.Hour}).Validate(); err != nil {
		t.Errorf("a soak of 0: %v", err)
	}
}
