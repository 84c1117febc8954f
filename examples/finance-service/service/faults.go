package service

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults are the ways in which the service misbehaves on purpose. The zero value is a healthy service.
type Faults struct {
	// ErrorShare of the requests outside of /health and /metrics is answered with 500, 0 to 1.
	ErrorShare float64
	// Latency is added to LatencyShare of the same requests, 0 to 1.
	Latency      time.Duration
	LatencyShare float64
	// CrashNext ends the process at the next such request, CrashAfter that long after the fault was switched on.
	CrashNext  bool
	CrashAfter time.Duration

	// NotReady and NotLive fail the probes.
	NotReady, NotLive bool
	// DatabaseDown and EventStoreDown act as if the dependency could not be reached.
	DatabaseDown, EventStoreDown bool
	// Typename breaks the simplest query.
	Typename bool

	// The rest takes one protection away each: introspection is open, no token is asked for, tokens are accepted
	// although forged, expired or unsigned, every origin is allowed, form posts are run, formulas that are not
	// arithmetic are answered as if they had been executed.
	Introspection, AuthOff, ForgedToken, ExpiredToken, UnsignedToken, CORS, CSRF, Formula bool
}

// flags are the faults that are on or off, by name.
func (f *Faults) flags() map[string]*bool {
	return map[string]*bool{
		"not-ready":       &f.NotReady,
		"not-live":        &f.NotLive,
		"database-down":   &f.DatabaseDown,
		"eventstore-down": &f.EventStoreDown,
		"typename":        &f.Typename,
		"introspection":   &f.Introspection,
		"auth-off":        &f.AuthOff,
		"forged-token":    &f.ForgedToken,
		"expired-token":   &f.ExpiredToken,
		"unsigned-token":  &f.UnsignedToken,
		"cors":            &f.CORS,
		"csrf":            &f.CSRF,
		"formula":         &f.Formula,
	}
}

// settings are the faults that take a value, by name.
func (f *Faults) settings() map[string]func(string) error {
	return map[string]func(string) error{
		"errors":        func(text string) error { return parseShare(text, &f.ErrorShare) },
		"latency":       func(text string) error { return parseDelay(text, &f.Latency) },
		"latency-share": func(text string) error { return parseShare(text, &f.LatencyShare) },
		"crash": func(text string) error {
			if text == "next" {
				f.CrashNext = true
				return nil
			}
			return parseDelay(text, &f.CrashAfter)
		},
	}
}

// ParseFaults reads a comma-separated list such as "errors=0.33,latency=800ms,introspection"; the empty list is a
// healthy service. The error names the fault that is wrong and those that exist.
func ParseFaults(list string) (Faults, error) {
	faults := Faults{LatencyShare: 1}
	flags, settings := faults.flags(), faults.settings()
	seen := map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(list) == "" {
			break
		}
		name, value, hasValue := strings.Cut(strings.TrimSpace(item), "=")
		flag, isFlag := flags[name]
		set, isSetting := settings[name]
		switch {
		case !isFlag && !isSetting:
			return Faults{}, fmt.Errorf("unknown fault %q; allowed: %s", name, strings.Join(faultNames(), ", "))
		case seen[name]:
			return Faults{}, fmt.Errorf("fault %q is given twice", name)
		case isFlag && hasValue:
			return Faults{}, fmt.Errorf("fault %q takes no value, got %q", name, value)
		case isFlag:
			*flag = true
		default:
			if err := set(value); err != nil {
				return Faults{}, fmt.Errorf("fault %q: %w", name, err)
			}
		}
		seen[name] = true
	}
	if seen["latency-share"] && !seen["latency"] {
		return Faults{}, errors.New(`fault "latency-share" needs "latency"`)
	}
	return faults, nil
}

// String writes the faults that are on as [ParseFaults] reads them, sorted.
func (f Faults) String() string {
	var on []string
	for name, flag := range f.flags() {
		if *flag {
			on = append(on, name)
		}
	}
	if f.ErrorShare > 0 {
		on = append(on, "errors="+strconv.FormatFloat(f.ErrorShare, 'g', -1, 64))
	}
	if f.Latency > 0 {
		on = append(on, "latency="+f.Latency.String())
		if f.LatencyShare != 1 {
			on = append(on, "latency-share="+strconv.FormatFloat(f.LatencyShare, 'g', -1, 64))
		}
	}
	if f.CrashNext {
		on = append(on, "crash=next")
	}
	if f.CrashAfter > 0 {
		on = append(on, "crash="+f.CrashAfter.String())
	}
	slices.Sort(on)
	return strings.Join(on, ",")
}

func faultNames() []string {
	names := []string{"errors=<0..1>", "latency=<duration>", "latency-share=<0..1>", "crash=next", "crash=<duration>"}
	var none Faults
	return append(names, slices.Sorted(maps.Keys(none.flags()))...)
}

func parseShare(text string, share *float64) error {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value >= 0 && value <= 1) {
		return fmt.Errorf("must be a share from 0 to 1, got %q", text)
	}
	*share = value
	return nil
}

func parseDelay(text string, delay *time.Duration) error {
	value, err := time.ParseDuration(text)
	if err != nil || value <= 0 || value > time.Hour {
		return fmt.Errorf("must be a duration above 0 and up to 1h, such as 800ms, got %q", text)
	}
	*delay = value
	return nil
}

// FaultSwitch holds the faults that are on at the moment. It is safe for concurrent use.
type FaultSwitch struct {
	exit func(code int)

	mu      sync.Mutex
	faults  Faults
	crash   *time.Timer
	errors  spread
	latency spread
}

// NewFaultSwitch returns a switch with faults on. Exit ends the process for the crash faults.
func NewFaultSwitch(faults Faults, exit func(code int)) *FaultSwitch {
	s := &FaultSwitch{exit: exit}
	s.Set(faults)
	return s
}

// Get returns the faults that are on.
func (s *FaultSwitch) Get() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// Set replaces the faults. A crash that was waiting for its time no longer happens.
func (s *FaultSwitch) Set(faults Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crash != nil {
		s.crash.Stop()
		s.crash = nil
	}
	if faults.CrashAfter > 0 {
		s.crash = time.AfterFunc(faults.CrashAfter, func() { s.exit(1) })
	}
	s.faults = faults
	s.errors, s.latency = spread{}, spread{}
}

// next draws the faults of one request: whether it fails and how long it is held up.
func (s *FaultSwitch) next() (fails bool, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.CrashNext {
		s.exit(1)
	}
	if s.latency.next(s.faults.LatencyShare) {
		delay = s.faults.Latency
	}
	return s.errors.next(s.faults.ErrorShare), delay
}

// spread picks a share of a sequence evenly and without chance, so that a test knows how many were picked.
type spread struct{ debt float64 }

func (s *spread) next(share float64) bool {
	s.debt += share
	// The sum of shares such as 0.1 falls a little short of a whole number.
	if s.debt < 1-1e-9 {
		return false
	}
	s.debt--
	return true
}
