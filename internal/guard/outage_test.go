package guard

import (
	options "flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/names"
)

var outagesFlag = options.Int("outages", 12, "shared outages that the whole guard lives through")

// fail counts requests of the length of a step at every pod that takes traffic.
func (w *world) fail(random *rand.Rand, perSecond, share float64, step time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, p := range w.pods {
		if p.Labels[names.Traffic] != names.Enabled {
			continue
		}
		n := distuv.Poisson{Lambda: perSecond * step.Seconds(), Src: random}.Rand()
		k := 0.0
		switch {
		case share >= 1:
			k = n
		case n > 0 && share > 0:
			k = distuv.Binomial{N: n, P: share, Src: random}.Rand()
		}
		w.service[name].good += int(n - k)
		w.service[name].bad += int(k)
	}
}

// outlast waits for the scrapes that are under way when a guard has ended.
func outlast() { time.Sleep(scrapeTimeout) }

// The whole guard, in a bubble of time: its goroutines, scrapes and pages are the real ones. Pods appear at moments of
// their own, and so are their scrapes.
func TestTheGuardBlamesNobodyForASharedOutage(t *testing.T) {
	const seed = 20261129
	for i := range *outagesFlag {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		canary := []int{1, 3, 6}[i%3]
		perSecond := []float64{10, 50, 100}[random.IntN(3)]
		share := []float64{0.3, 1}[random.IntN(2)]
		length := []time.Duration{5 * time.Second, 20 * time.Second, time.Minute}[random.IntN(3)]
		every := time.Duration(1+random.IntN(10)) * time.Second
		silent := random.IntN(4) == 0
		name := fmt.Sprintf("%d: %d of 10 pods, %v requests/s, %v of them for %v, scraped every %v, stable silent %v", i,
			canary, perSecond, share, length, every, silent)
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(outlast)
				w := newWorldIn(t, map[string]http.Handler{}, 1, 1)
				w.scaled[names.StableDeployment("finance")] = 10 - canary
				w.record(reached())
				_, registry := w.guarded(func(c *Config) { c.Interval = model.Duration(every) })
				for j := range 8 {
					time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
					if j < canary-1 {
						w.add(fmt.Sprintf("finance-v2-%d", j+1), names.Canary)
					} else {
						w.add(fmt.Sprintf("finance-stable-%d", j+1), names.Stable)
					}
					w.changed()
				}
				serve := func(d time.Duration, share float64) {
					const step = 50 * time.Millisecond
					for range int(d / step) {
						w.fail(random, perSecond, share, step)
						time.Sleep(step)
					}
				}
				serve(25*time.Second+time.Duration(random.IntN(1000))*time.Millisecond, 0.002)
				w.silent.Store(silent)
				serve(length, share)
				w.silent.Store(false)
				serve(20*time.Second, 0.002)
				if seen := requests(t, registry); seen < 100 {
					t.Errorf("the guard has counted %v requests", seen)
				}
				if w.kinds() != "shift-reached" {
					t.Errorf("the ledger holds %s; events: %s", w.kinds(), strings.Join(w.events, "\n"))
				}
			})
		})
	}
}

// A shared outage in which stable's pods answer scrapes with a page of something else, for longer than the tracks'
// rates are taken from: that page is no word that stable is well, nor that it gets no requests.
func TestAPageOfSomethingElseIsNoWordOfStable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(outlast)
		w := newWorldIn(t, map[string]http.Handler{}, 3, 1)
		w.record(reached())
		w.guarded(func(c *Config) { c.Interval = model.Duration(time.Second) })
		serve := func(seconds, bad int) {
			for range 5 * seconds {
				w.serve(names.Stable, 3-bad, bad)
				w.serve(names.Canary, 3-bad, bad)
				time.Sleep(200 * time.Millisecond)
			}
		}
		serve(20, 0)
		w.masked.Store(true)
		serve(80, 2)
		w.masked.Store(false)
		serve(10, 2)
		serve(20, 0)
		if w.kinds() != "shift-reached" {
			t.Errorf("the ledger holds %s; events: %s", w.kinds(), strings.Join(w.events, "\n"))
		}
	})
}

// A stable track that has lost the counter for good, as after a restart at 100 %, excuses a bad canary for a while
// only.
func TestAPageOfSomethingElseDoesNotExcuseForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(outlast)
		w := newWorldIn(t, map[string]http.Handler{}, 3, 1)
		w.record(reached())
		w.guarded(func(c *Config) { c.Interval = model.Duration(time.Second) })
		for range 100 {
			w.serve(names.Stable, 3, 0)
			w.serve(names.Canary, 3, 0)
			time.Sleep(200 * time.Millisecond)
		}
		w.masked.Store(true)
		began := time.Now()
		for w.kinds() == "shift-reached" && time.Since(began) < 5*time.Minute {
			w.serve(names.Canary, 2, 1)
			time.Sleep(200 * time.Millisecond)
		}
		if after := time.Since(began); after > 4*time.Minute {
			t.Errorf("not blamed within %v: %s", after, w.kinds())
		}
	})
}

// The same bubble: a canary that alone fails a third is rolled back.
func TestTheGuardBlamesABadCanaryInTheBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(outlast)
		w := newWorldIn(t, map[string]http.Handler{}, 3, 1)
		w.record(reached())
		w.guarded(func(c *Config) { c.Interval = model.Duration(time.Second) })
		began := time.Now()
		for w.kinds() == "shift-reached" && time.Since(began) < time.Minute {
			w.serve(names.Stable, 3, 0)
			w.serve(names.Canary, 2, 1)
			time.Sleep(300 * time.Millisecond)
		}
		if after := time.Since(began); after > 10*time.Second {
			t.Errorf("not blamed within %v: %s", after, w.kinds())
		}
	})
}
