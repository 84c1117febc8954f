package prometheus

import (
	"context"
	"fmt"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// RuleGroups gives the names of the rule groups that are loaded, and what is wrong with the rules that do not work.
func (p *Client) RuleGroups(ctx context.Context) (names, broken []string, err error) {
	found, err := p.api.Rules(ctx, nil)
	if err != nil {
		return nil, nil, p.failed(err)
	}
	for _, group := range found.Groups {
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

// Alertmanagers gives the addresses that the server sends its alerts to.
func (p *Client) Alertmanagers(ctx context.Context) ([]string, error) {
	found, err := p.api.AlertManagers(ctx)
	if err != nil {
		return nil, p.failed(err)
	}
	var addresses []string
	for _, alertmanager := range found.Active {
		addresses = append(addresses, alertmanager.URL)
	}
	return addresses, nil
}
