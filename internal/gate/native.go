package gate

import "strings"

// keepClassic is how to mend that Prometheus has a native histogram where the gates need the series of a classic one.
const keepClassic = "the gates read classic ones: let Prometheus keep both kinds, by metrics.scrapeClassicHistograms " +
	"where the stack's ServiceMonitor finds the pods, or by always_scrape_classic_histograms of its own configuration"

// NativeOf is the native histogram that a series of a classic one belongs to: its buckets, its count or its sum. It is
// empty for a name of anything else.
func NativeOf(metric string) string {
	for _, ending := range []string{"_bucket", "_count", "_sum"} {
		if name, ok := strings.CutSuffix(metric, ending); ok {
			return name
		}
	}
	return ""
}
