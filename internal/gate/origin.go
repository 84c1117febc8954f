package gate

import (
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

// scrapeLabels are the labels that Prometheus and what stands before it put on a series: they say who scraped a pod
// by which way, and not what it counts. Two series of a pod that differ in these alone are one series.
var scrapeLabels = map[model.LabelName]bool{
	"job": true, "instance": true, "endpoint": true, "service": true, "node": true, "metrics_path": true,
	"prometheus": true, "prometheus_replica": true, "replica": true, "__replica__": true, "cluster": true,
	"receive": true, "tenant_id": true, "monitor": true, "pod_template_hash": true, "kubernetes_namespace": true,
	"kubernetes_pod_name": true, "kubernetes_node": true, "traffic": true, "environment": true,
}

// podLabels identify the process that a series comes from.
var podLabels = map[model.LabelName]bool{"namespace": true, "pod": true, "container": true}

// IsScrapeLabel reports whether Prometheus puts the label on a series when it scrapes a pod of the rollout. The pod's
// own page does not have it.
func IsScrapeLabel(label string) bool {
	name := model.LabelName(label)
	return scrapeLabels[name] || podLabels[name] || name == "app" || name == "track" || name == "version"
}

// origin says where a series comes from.
type origin struct {
	// pod is the pod, or the scraped address if Prometheus does not know the pod. container is its container; empty if
	// unknown.
	pod, container string
	// target is the way by which Prometheus scraped it.
	target model.Fingerprint
	// own are the labels that the process gives.
	served model.Metric
}

// originOf splits the labels of a series. Bucket bounds get one spelling: Prometheus 3 writes 0.5 where others keep the
// service's 0.50 or 5e-1, and the spelling changes when a server is updated.
func originOf(labels model.Metric) origin {
	pod, known := labels["pod"]
	from := origin{pod: string(labels["namespace"] + "/" + pod), container: string(labels["container"])}
	if !known {
		from.pod = string(labels["instance"])
	}
	way, given := model.Metric{}, model.Metric{}
	for name, value := range labels {
		switch {
		case name == model.MetricNameLabel:
		case scrapeLabels[name]:
			way[name] = value
		case known && podLabels[name]:
		case name == model.BucketLabel:
			given[name] = respelled(value)
		default:
			given[name] = value
		}
	}
	way["container"] = labels["container"]
	from.target, from.served = way.Fingerprint(), given
	return from
}

func respelled(bound model.LabelValue) model.LabelValue {
	value, err := strconv.ParseFloat(string(bound), 64)
	if err != nil || math.IsNaN(value) {
		return bound
	}
	return model.LabelValue(strconv.FormatFloat(value, 'g', -1, 64))
}

// podName is the name of an origin's pod without its namespace.
func podName(pod string) string { return pod[strings.LastIndex(pod, "/")+1:] }
