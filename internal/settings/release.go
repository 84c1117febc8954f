package settings

import "errors"

// NamedRelease is the release's name in the configuration; empty where the configuration names none. Release is never
// empty: without a name in the configuration it is what a release that enters in this week is called.
func (s *Settings) NamedRelease() string { return s.named }

// WithRelease is a copy of the settings in which the release has another name: the one that it entered with. The error
// joins one *Error for each setting that the name does not go with; the copy comes with it all the same.
func (s *Settings) WithRelease(name string) (*Settings, error) {
	changed := *s
	changed.Release, changed.kept = name, true
	errs := problems{commands: commands{s.stack}}
	changed.validateRelease(&errs)
	return &changed, errors.Join(errs.list...)
}

// After is a copy of the settings that knows which release was on the canary track last; empty for none.
func (s *Settings) After(release string) *Settings {
	changed := *s
	changed.before = release
	return &changed
}

// IsNewRelease reports whether another release was on the canary track before this one.
func (s *Settings) IsNewRelease() bool { return s.before != "" && s.before != s.Release }

// validateRelease checks the names that are composed of the release's.
func (s *Settings) validateRelease(errs *problems) {
	if !s.IsSingle() {
		s.validateDeployments(errs)
	}
	s.validateDashboard(errs)
}
