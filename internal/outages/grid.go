package outages

import "time"

// Shared are the cases of the goal: outages of 5, 20 and 60 s in which 30 and 100 % of the requests fail, at weights of
// 10, 30 and 60 % of ten pods, scraped every 1 to 10 s or limited to one scrape in 10 s, with stable's scrapes failing,
// and 1 to 100 requests a second at each pod.
func Shared() []Case {
	var list []Case
	for _, outage := range []time.Duration{5 * time.Second, 20 * time.Second, time.Minute} {
		for _, share := range []float64{0.3, 1} {
			for _, canary := range []int{1, 3, 6} {
				for _, perSecond := range []float64{1, 10, 50, 100} {
					for _, silence := range []Silence{Answers, Flaky, Mute} {
						for _, every := range []time.Duration{1, 2, 5, 10} {
							c := Case{Canary: canary, Stable: 10 - canary, PerSecond: perSecond, Every: every * time.Second,
								Silence: silence, Outage: outage, Share: share, Mean: 0.002}
							list = append(list, c)
						}
						list = append(list, Case{Canary: canary, Stable: 10 - canary, PerSecond: perSecond,
							Every: 10 * time.Second, Limited: true, Silence: silence, Outage: outage, Share: share, Mean: 0.002})
					}
				}
			}
		}
	}
	return list
}
