package promql

import (
	"testing"
	"time"
)

func TestExpressions(t *testing.T) {
	const minute = time.Minute
	for want, got := range map[string]string{
		`rate(a{b="c"}[5m])`:                          Rate(`a{b="c"}`, 5*minute),
		`increase(a[1h30m])`:                          Increase("a", 90*minute),
		`max_over_time(a[2m])`:                        Highest("a", 2*minute),
		`max_over_time(a[1m]) - min_over_time(a[1m])`: Rise("a", minute),
		`sum(a)`:            Sum("a"),
		`sum by (x, y) (a)`: Sum("a", "x", "y"),
		`max by (x) (a)`:    Max("a", "x"),
		`(sum(rate(a[1m])) or 0 * sum(rate(b[1m]))) / sum(rate(b[1m]))`: BadShare("a", "b", minute),
		`(sum by (x) (rate(a[1m])) or 0 * sum by (x) (rate(b[1m]))) / sum by (x) (rate(b[1m]))`: BadShare("a", "b", minute,
			"x"),
		`histogram_quantile(0.95, sum by (le) (rate(a[1m])))`:     Quantile(1-0.05, "a", minute),
		`histogram_quantile(0.999, sum by (x, le) (rate(a[1m])))`: Quantile(1-0.001, "a", minute, "x"),
		`increase(a[1m]) / (increase(b[1m]) > 0)`:                 Proportion("a", "b", minute),
		`a / on (x, y) group_left () b`:                           Relative("a", "b", "x", "y"),
		`0.001 * a`:                                               Times(0.001, "a"),
		`a / 300`:                                                 Divided("a", 300),
		`a > 0.01`:                                                Above("a", 0.01),
		`a > 0.005`:                                               Above("a", 0.01/2),
		`a < 1`:                                                   Below("a", 1),
		`a >= 50`:                                                 AtLeast("a", 50),
		`a > b`:                                                   Exceeds("a", "b"),
		`a and b`:                                                 And("a", "b"),
		`a and on (x, y) b`:                                       And("a", "b", "x", "y"),
		`a or b`:                                                  Or("a", "b"),
		`absent(a)`:                                               Absent("a"),
		`{__name__=~".*(http|re\\.q).*"}`:                         NamesContaining("http", "re.q"),
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Quantile keeps the labels that it is given: the buckets' own is added to a copy.
func TestQuantileLeavesItsLabelsAlone(t *testing.T) {
	labels := append(make([]string, 0, 4), "x", "y")
	Quantile(0.5, "a", time.Minute, labels...)
	if spare := labels[:3][2]; spare != "" {
		t.Errorf("wrote %q behind the labels", spare)
	}
}

func TestAlertsThatFire(t *testing.T) {
	labels := map[string]string{"app": `a"b`, "release": "week1"}
	firing, err := Firing(labels)
	if want := `ALERTS{alertstate="firing",app="a\"b",release="week1"}`; err != nil || firing != want {
		t.Errorf("%s, %v; want %s", firing, err, want)
	}
	since, err := FiringSince(labels)
	want := `ALERTS_FOR_STATE{app="a\"b",release="week1"} and ignoring (alertstate) ` + firing
	if err != nil || since != want {
		t.Errorf("%s, %v; want %s", since, err, want)
	}
	if len(labels) != 2 {
		t.Errorf("labels were added to: %v", labels)
	}
	for _, build := range []func(map[string]string) (string, error){Firing, FiringSince} {
		if text, err := build(map[string]string{"a b": "c"}); err == nil {
			t.Errorf("a label with a space gives %s", text)
		}
	}
}

func TestPercentileNames(t *testing.T) {
	for quantile, want := range map[float64]string{
		0.5: "P50", 0.9: "P90", 1 - 0.05: "P95", 1 - 0.01: "P99", 1 - 0.001: "P99.9", 1 - 0.00001: "P99.999",
	} {
		if got := PercentileName(quantile); got != want {
			t.Errorf("%g is called %s, want %s", quantile, got, want)
		}
	}
}

// Prometheus refuses a range of nothing, and knows no fraction of a millisecond.
func TestRanges(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1s", time.Millisecond: "1s", 1600 * time.Millisecond: "2s", 5 * time.Minute: "5m", 26 * time.Hour: "1d2h",
	} {
		if got := Window(d); got != want {
			t.Errorf("Window(%v) = %s, want %s", d, got, want)
		}
	}
	if got := Range("a", 1500*time.Millisecond+time.Microsecond); got != "a[1s500ms]" {
		t.Errorf("Range = %s", got)
	}
}

// The owner of a pod is found over its ReplicaSet, in its own namespace.
func TestPodsOfADeploymentAreThoseOfItsReplicaSets(t *testing.T) {
	got, err := OfDeployment("up", "shop", "shop-v2")
	want := `up and on (namespace, pod) (label_replace(kube_pod_owner{namespace="shop",owner_kind="ReplicaSet"}, ` +
		`"replicaset", "$1", "owner_name", "(.*)") and on (namespace, replicaset) ` +
		`kube_replicaset_owner{namespace="shop",owner_kind="Deployment",owner_name="shop-v2"})`
	if err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	for _, broken := range [][2]string{{"\xff", "shop-v2"}, {"shop", "\xff"}} {
		if text, err := OfDeployment("up", broken[0], broken[1]); err == nil {
			t.Errorf("%q gives %s", broken, text)
		}
	}
}
