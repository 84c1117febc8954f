package kube

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestKeysWithoutValues(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "db"},
			Data: map[string][]byte{"password": []byte("x"), "host": nil}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "env", ResourceVersion: "1"},
			Data: map[string]string{"LEVEL": "info"}},
	)}
	keys, exists, err := client.SecretKeys(t.Context(), "n", "db")
	if err != nil || !exists || !cmp.Equal(keys, []string{"host", "password"}) {
		t.Errorf("%v, %v, %v", keys, exists, err)
	}
	keys, exists, err = client.ConfigMapKeys(t.Context(), "n", "env")
	if err != nil || !exists || !cmp.Equal(keys, []string{"LEVEL"}) {
		t.Errorf("%v, %v, %v", keys, exists, err)
	}
	for name, look := range map[string]func() ([]string, bool, error){
		"secret":    func() ([]string, bool, error) { return client.SecretKeys(t.Context(), "n", "absent") },
		"configmap": func() ([]string, bool, error) { return client.ConfigMapKeys(t.Context(), "n", "absent") },
	} {
		if keys, exists, err := look(); err != nil || exists || keys != nil {
			t.Errorf("%s: %v, %v, %v", name, keys, exists, err)
		}
	}
	broken := fake.NewClientset()
	broken.PrependReactor("*", "*", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil,
			errors.New("no")
	})
	client = &Client{clientset: broken}
	_, _, secretErr := client.SecretKeys(t.Context(), "n", "db")
	_, eventErr := client.Events(t.Context(), "n")
	testkit.WantError(t, secretErr, "get secret n/db: no")
	testkit.WantError(t, eventErr, "list the events of n: no")
}

func TestSecretStatesHoldNoValue(t *testing.T) {
	client := &Client{clientset: fake.NewClientset(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "db"},
		Data:       map[string][]byte{"password": []byte("x-y-z"), "host": nil},
	})}
	judged, exists, err := client.SecretStates(t.Context(), "n", "db",
		func(value string) string { return map[bool]string{true: "empty", false: "set"}[value == ""] })
	if err != nil || !exists || !cmp.Equal(judged, map[string]string{"password": "set", "host": "empty"}) {
		t.Errorf("%v, %v, %v", judged, exists, err)
	}
	if _, exists, err := client.SecretStates(t.Context(), "n", "absent", nil); err != nil || exists {
		t.Errorf("absent: %v, %v", exists, err)
	}
}
