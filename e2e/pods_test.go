//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// watchPods calls changed with all production pods that the selector selects, now and after each of their changes,
// until end is called. A watch misses no change, and costs the API server less than lists.
func (c *cluster) watchPods(t *testing.T, selector string, changed func([]corev1.Pod)) (end func()) {
	t.Helper()
	factory := informers.NewSharedInformerFactoryWithOptions(c.kubernetes, 0, informers.WithNamespace(c.production),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = selector }))
	var mu sync.Mutex
	pods := map[string]corev1.Pod{}
	watching := false
	set := func(object any, there bool) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		pod, ok := object.(*corev1.Pod)
		if !ok {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		delete(pods, pod.Name)
		if there {
			pods[pod.Name] = *pod
		}
		if watching {
			changed(slices.Collect(maps.Values(pods)))
		}
	}
	registration, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { set(object, true) },
		UpdateFunc: func(_, object any) { set(object, true) },
		DeleteFunc: func(object any) { set(object, false) },
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	factory.Start(stop)
	if !cache.WaitForCacheSync(t.Context().Done(), registration.HasSynced) {
		t.Fatal("the pods cannot be watched")
	}
	mu.Lock()
	watching = true
	changed(slices.Collect(maps.Values(pods)))
	mu.Unlock()
	end = sync.OnceFunc(func() {
		close(stop)
		factory.Shutdown()
	})
	t.Cleanup(end)
	return end
}
