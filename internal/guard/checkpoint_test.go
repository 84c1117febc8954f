package guard

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/plan"
)

func TestSpacingFillsNoLedger(t *testing.T) {
	short, long := plan.Soak{Duration: time.Minute, Extension: time.Minute},
		plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	for _, tt := range []struct {
		schedule plan.Soak
		elapsed  time.Duration
		want     time.Duration
	}{
		{short, 30 * time.Second, 2 * time.Second}, {short, time.Hour, 15 * time.Minute},
		{long, time.Hour, 14*time.Minute + 24*time.Second},
		{long, 100 * time.Hour, 15 * time.Minute},
	} {
		if got := spacing(tt.schedule, tt.elapsed); got != tt.want {
			t.Errorf("%v after %v: %v, want %v", tt.schedule.Duration, tt.elapsed, got, tt.want)
		}
	}
}
