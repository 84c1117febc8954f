package project

// Override is one setting in which a derived stack differs from the committed one.
type Override struct {
	// Key is the setting, without the project's prefix.
	Key   string
	Value any
	// Reason says why the committed value cannot be used on the local cluster.
	Reason string
}

// overrides lists every difference between a derived stack and the committed one, apart from the secrets. The demo, the
// end-to-end tests and the benchmarks run the rest as it ships: probes, shutdown, metrics, the calendar.
func (o Options) overrides(stack, namespace string) []Override {
	list := []Override{
		{"namespace", namespace + o.Suffix, "tests share one cluster, each with namespaces of its own"},
		{"kubeconfig", o.Kubeconfig, "names the local cluster"},
		{"kubeContext", o.Context, "names the local cluster"},
		{"prometheus", o.Prometheus, "bench and tests may bring a Prometheus of their own"},
		{"image", o.Image, "the committed files name none: every team sets its own"},
		{"resources", map[string]any{
			"requests": map[string]any{"cpu": "10m", "memory": "24Mi"},
			"limits":   map[string]any{"cpu": "500m", "memory": "128Mi"},
		}, "ten pods of 500m and 1Gi do not fit on two cores"},
		{"metrics", map[string]any{"interval": "2s"}, "a bake of 20 s sees one scrape of the committed 15 s"},
	}
	if port, ok := o.NodePorts[stack]; ok {
		list = append(list, Override{"service", map[string]any{"type": "NodePort", "nodePort": port},
			"load comes from 127.0.0.1, outside of the cluster"})
	}
	if stack == "production" {
		list = append(list, o.productionOverrides()...)
	}
	return list
}

func (o Options) productionOverrides() []Override {
	bake := Override{"bake", map[string]any{"duration": "20s", "interval": "4s", "minRequests": 50},
		"minutes of waiting for each move"}
	if o.WithoutBake {
		bake = Override{"bake", map[string]any{"duration": "0s"}, "this cluster has no traffic to judge"}
	}
	list := []Override{
		{"stableImage", o.StableImage, "the committed files name none: every team sets its own"},
		bake,
		{"soak", map[string]any{"duration": "1m", "extension": "1m"}, "two days of waiting for each stage"},
		{"floors", map[string]any{"soak": "0s", "bake": "0s", "reason": "a local cluster without customers"},
			"the committed floors ask for a day of soak"},
		{"criteria", map[string]any{"errorRate": 0.01, "rollbackErrorRate": 0.02},
			"the few hundred requests of a soak of one minute cannot decide about the committed 0.5 and 1 %"},
	}
	if o.Guard != "" {
		list = append(list, Override{"guard", map[string]any{"image": o.Guard, "watch": "1m"},
			"the committed files name no image; half an hour of waiting after each rollback"})
	}
	return list
}
