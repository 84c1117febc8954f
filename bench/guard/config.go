package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/names"
)

// rollbackLimit is the guide's error rate above which a canary is rolled back.
const rollbackLimit = 0.01

// config reads the guard's configuration.
func (b *bench) config(ctx context.Context) (*corev1.ConfigMap, guard.Config, error) {
	name := names.Guard(b.stack.App)
	configMap, err := b.stack.Client.CoreV1().ConfigMaps(b.stack.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, guard.Config{}, fmt.Errorf("read the guard's configuration: %w", err)
	}
	config, err := guard.ParseConfig(configMap.Data[guard.ConfigKey])
	if err != nil {
		return nil, config, fmt.Errorf("ConfigMap %s: %w", name, err)
	}
	return configMap, config, nil
}

// limits checks that the guard uses the limit of the goals, since the demo's stacks have a more lenient one, and that
// it rolls back what it takes out: a canary in quarantine would come back in the next run. Both leave by the same test.
func (b *bench) limits(ctx context.Context) error {
	_, config, err := b.config(ctx)
	if err != nil {
		return err
	}
	if config.ErrorRate != rollbackLimit || config.Quarantine {
		return fmt.Errorf("the guard of %s rolls back above an error rate of %g %% with guard.quarantine %t, and the "+
			"benchmark is for %g %% without it: set criteria.errorRate to 0.005, criteria.rollbackErrorRate to %g, "+
			"guard.quarantine to false and bake.duration to 0s in the stack's configuration, and run `pulumi up`",
			b.stack.Namespace, 100*config.ErrorRate, config.Quarantine, 100*rollbackLimit, rollbackLimit)
	}
	return nil
}

// withoutPrometheus takes the guard's Prometheus away until restore is called.
func (b *bench) withoutPrometheus(ctx context.Context) (restore func(), err error) {
	configMap, config, err := b.config(ctx)
	if err != nil {
		return nil, err
	}
	before := configMap.Data[guard.ConfigKey]
	config.Prometheus = ""
	after, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("write the guard's configuration: %w", err)
	}
	if err := b.configure(ctx, string(after)); err != nil {
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := b.configure(ctx, before); err != nil {
			fmt.Fprintln(os.Stderr, "the guard has no Prometheus; `pulumi up --refresh` restores it:", err)
		}
	}, nil
}

func (b *bench) configure(ctx context.Context, text string) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		configMap, _, err := b.config(ctx)
		if err != nil {
			return err
		}
		configMap.Data[guard.ConfigKey] = text
		_, err = b.stack.Client.CoreV1().ConfigMaps(b.stack.Namespace).Update(ctx, configMap,
			metav1.UpdateOptions{FieldManager: "bench"})
		return err
	})
}
