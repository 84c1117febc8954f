package prometheus

import (
	"context"
	"fmt"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// RuleGroups gives the names of the loaded rule groups, and one line with the error of each broken rule.
func (p *Client) RuleGroups(ctx context.Context) (names, broken []string, err error) {
	rules, err := p.api.Rules(ctx, nil)
	if err != nil {
		return nil, nil, p.failed(err)
	}
	for _, group := range rules.Groups {
		names = append(names, group.Name)
		for _, rule := range group.Rules {
			switch typed := rule.(type) {
			case promv1.AlertingRule:
				if typed.Health == promv1.RuleHealthBad {
					broken = append(broken, fmt.Sprintf("%s of %s: %s", typed.Name, group.Name, typed.LastError))
				}
			case promv1.RecordingRule:
				if typed.Health == promv1.RuleHealthBad {
					broken = append(broken, fmt.Sprintf("%s of %s: %s", typed.Name, group.Name, typed.LastError))
				}
			}
		}
	}
	return names, broken, nil
}

// Alertmanagers gives the addresses of the Alertmanagers that the server sends alerts to.
func (p *Client) Alertmanagers(ctx context.Context) ([]string, error) {
	alertmanagers, err := p.api.AlertManagers(ctx)
	if err != nil {
		return nil, p.failed(err)
	}
	var addresses []string
	for _, alertmanager := range alertmanagers.Active {
		addresses = append(addresses, alertmanager.URL)
	}
	return addresses, nil
}
