package components

import (
	"reflect"
	"strings"
	"testing"
)

// A program outside of the module fills the arguments by the names of this package; what only an internal package
// names, it cannot make.
func TestEveryTypeOfAnArgumentHasANameHere(t *testing.T) {
	named := map[reflect.Type]bool{}
	for _, each := range []reflect.Type{
		reflect.TypeFor[Secret](), reflect.TypeFor[SecretRef](), reflect.TypeFor[Registry](), reflect.TypeFor[Build](),
		reflect.TypeFor[Position](), reflect.TypeFor[Resources](), reflect.TypeFor[Quantities](), reflect.TypeFor[Quantity](),
		reflect.TypeFor[Probes](), reflect.TypeFor[Probe](), reflect.TypeFor[Shutdown](), reflect.TypeFor[User](),
		reflect.TypeFor[EnvSource](), reflect.TypeFor[Overlay](), reflect.TypeFor[Autoscale](),
		reflect.TypeFor[RollingUpdate](), reflect.TypeFor[Amount](), reflect.TypeFor[RouteRule](), reflect.TypeFor[Metrics](),
		reflect.TypeFor[Rules](), reflect.TypeFor[Values](), reflect.TypeFor[Port](), reflect.TypeFor[ScrapeTLS](),
		reflect.TypeFor[Unit](), reflect.TypeFor[Matcher](), reflect.TypeFor[Condition](), reflect.TypeFor[Exclusions](),
		reflect.TypeFor[RouteMatch](), reflect.TypeFor[ValueMatch](), reflect.TypeFor[RouteFilter](),
		reflect.TypeFor[HeaderModifier](),
		reflect.TypeFor[Mirror](), reflect.TypeFor[MirrorBackend](), reflect.TypeFor[Fraction](), reflect.TypeFor[Redirect](),
		reflect.TypeFor[PathModifier](), reflect.TypeFor[Rewrite](), reflect.TypeFor[CORS](), reflect.TypeFor[LocalObject](),
		reflect.TypeFor[RouteTimeouts](), reflect.TypeFor[RouteRetry](), reflect.TypeFor[SessionPersistence](),
		reflect.TypeFor[Testers](), reflect.TypeFor[Mark](),
	} {
		named[each] = true
	}
	for _, args := range []any{
		EnvironmentArgs{}, SecretsArgs{}, ConfigurationArgs{}, ImageArgs{}, TrackArgs{}, TrafficArgs{}, RouteArgs{},
		MonitoringArgs{}, GuardArgs{}, ReleaseArgs{},
	} {
		walkTypes(reflect.TypeOf(args), map[reflect.Type]bool{}, func(of reflect.Type) {
			if strings.Contains(of.PkgPath(), "/finance-rollout/internal/") && !named[of] {
				t.Errorf("%T needs %s, which has no name in this package", args, of)
			}
		})
	}
}

// walkTypes visits the types of what a program sets: exported fields and their elements.
func walkTypes(of reflect.Type, seen map[reflect.Type]bool, visit func(reflect.Type)) {
	if seen[of] {
		return
	}
	seen[of] = true
	if of.Name() != "" {
		visit(of)
	}
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		walkTypes(of.Elem(), seen, visit)
	case reflect.Map:
		walkTypes(of.Key(), seen, visit)
		walkTypes(of.Elem(), seen, visit)
	case reflect.Struct:
		if strings.Contains(of.PkgPath(), "/finance-rollout/") {
			for _, field := range reflect.VisibleFields(of) {
				if field.IsExported() {
					walkTypes(field.Type, seen, visit)
				}
			}
		}
	}
}
