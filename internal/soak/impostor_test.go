package soak

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// namespace holds pods that all carry the canary's labels; its Deployment owns some of them.
type namespace struct {
	labelled, owned []corev1.Pod
	err             error
	asked           []string
}

func (n *namespace) AllPods(_ context.Context, _ string, labels map[string]string) ([]corev1.Pod, error) {
	n.asked = append(n.asked, labels["app"]+" "+labels["track"]+" "+labels["version"])
	return n.labelled, n.err
}

func (n *namespace) DeploymentPods(_ context.Context, _, deployment string) ([]corev1.Pod, error) {
	n.asked = append(n.asked, deployment)
	return n.owned, n.err
}

func TestImpostors(t *testing.T) {
	pod := func(name, uid string) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(uid)}}
	}
	leaving := pod("shop-v2-leaving", "3")
	leaving.DeletionTimestamp = &metav1.Time{}
	canary := []corev1.Pod{pod("shop-v2-a", "1"), pod("shop-v2-b", "2")}
	for name, tt := range map[string]struct {
		labelled []corev1.Pod
		err      error
		want     []string // what the error names; none without an error
	}{
		"none":    {labelled: canary},
		"no pods": {},
		"one": {labelled: append(slices.Clone(canary), pod("shop-v2-c", "9")),
			want: []string{"shop-v2-c", "deployment", "delete"}},
		"one of the name of one":    {labelled: []corev1.Pod{canary[0], pod("shop-v2-b", "9")}, want: []string{"shop-v2-b"}},
		"one that is on its way":    {labelled: append(slices.Clone(canary), leaving)},
		"the pods cannot be listed": {err: errors.New("forbidden"), want: []string{"forbidden"}},
		"several, named in a line":  {labelled: []corev1.Pod{pod("x", "8"), pod("y", "9")}, want: []string{"x, y"}},
	} {
		t.Run(name, func(t *testing.T) {
			pods := &namespace{labelled: tt.labelled, owned: canary, err: tt.err}
			err := Spec{App: "shop", Namespace: "shop"}.Impostors(t.Context(), pods, "v2")
			if (err != nil) != (len(tt.want) > 0) {
				t.Fatalf("error %v", err)
			}
			for _, word := range tt.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, err)
				}
			}
			if tt.err == nil && !slices.Equal(pods.asked, []string{"shop canary v2", "shop-v2"}) {
				t.Errorf("asked %q", pods.asked)
			}
		})
	}
}
