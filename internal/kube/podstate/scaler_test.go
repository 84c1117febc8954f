package podstate

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestScalerOf(t *testing.T) {
	at := func(hour int) *metav1.Time {
		stamp := metav1.NewTime(time.Date(2026, 3, 2, hour, 0, 0, 0, time.UTC))
		return &stamp
	}
	fields := func(manager, raw string, when *metav1.Time) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Time: when, FieldsV1: &metav1.FieldsV1{Raw: []byte(raw)}}
	}
	replicas := `{"f:spec":{"f:replicas":{}}}`
	status := fields("kube-controller-manager", `{"f:status":{"f:replicas":{}}}`, at(12))
	for name, tt := range map[string]struct {
		fields  []metav1.ManagedFieldsEntry
		manager string
		says    string
	}{
		"nobody": {[]metav1.ManagedFieldsEntry{status}, "", "somebody else has scaled it"},
		"a webhook": {[]metav1.ManagedFieldsEntry{fields("pulumi-kubernetes-1a2b", replicas, at(9)), status},
			"pulumi-kubernetes-1a2b", "mutating webhook"},
		"a person after the provider": {[]metav1.ManagedFieldsEntry{fields("kubectl-edit", replicas, at(10)),
			fields("pulumi-kubernetes-1a2b", replicas, at(9))}, "kubectl-edit",
			"the field manager of spec.replicas is kubectl-edit, since 2026-03-02T10:00:00Z"},
		"an autoscaler": {[]metav1.ManagedFieldsEntry{fields("kube-controller-manager", replicas, at(9))},
			"kube-controller-manager", "an autoscaler scales it"},
		"a rollback": {[]metav1.ManagedFieldsEntry{fields("finance-rollout", replicas, nil)}, "finance-rollout",
			"a rollback or a command"},
		"fields that cannot be read": {[]metav1.ManagedFieldsEntry{fields("kubectl", "?", at(9)), {Manager: "x"}}, "",
			"somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			scaler := ScalerOf(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{ManagedFields: tt.fields}})
			if scaler.Manager != tt.manager || !strings.Contains(scaler.String(), tt.says) {
				t.Errorf("manager %q: %s", scaler.Manager, scaler)
			}
		})
	}
}
