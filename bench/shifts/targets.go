package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// scraped waits until Prometheus scrapes the pods of both tracks. It gets a new ServiceMonitor up to two minutes late,
// and a bake before that would have no metrics.
func (s *stack) scraped(ctx context.Context) error {
	address, err := s.Run(ctx, "printenv", "FINANCE_ROLLOUT_PROMETHEUS")
	if err != nil {
		return errors.Join(errors.New(".local/env names no Prometheus: run `make cluster`"), err)
	}
	client, err := api.NewClient(api.Config{Address: strings.TrimSpace(address)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	query := fmt.Sprintf("count(up{namespace=%q,job=\"finance-service\"} == 1)", production)
	for {
		answer, _, _, err := promv1.NewAPI(client).Query(ctx, query, time.Now())
		if vector, ok := answer.(model.Vector); ok && len(vector) == 1 && vector[0].Value >= total {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not return %d pods", query, total), err, context.Cause(ctx))
		case <-time.After(time.Second):
		}
	}
}
