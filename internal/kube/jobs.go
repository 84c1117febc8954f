package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LastSuccess is when a CronJob, or else a Job, of that name succeeded last: zero when it never did. The second
// result is false when there is neither.
func (c *Client) LastSuccess(ctx context.Context, namespace, name string) (time.Time, bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	cron, err := c.clientset.BatchV1().CronJobs(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil:
		if cron.Status.LastSuccessfulTime == nil {
			return time.Time{}, true, nil
		}
		return cron.Status.LastSuccessfulTime.Time, true, nil
	case !apierrors.IsNotFound(err):
		return time.Time{}, false, fmt.Errorf("get cronjob %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	job, err := c.clientset.BatchV1().Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("get job %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobComplete && condition.Status == corev1.ConditionTrue &&
			job.Status.CompletionTime != nil {
			return job.Status.CompletionTime.Time, true, nil
		}
	}
	return time.Time{}, true, nil
}
