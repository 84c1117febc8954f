// Package drive brings a canary of the example service into trouble and tells when it is out of traffic: for the end-to-end tests and
// the benchmark of the guard, which must mean the same by it. It plays the Pulumi program's part by its means, the Deployments
// and the ledger, so that a try takes seconds.
//
// It is no part of the product, and nothing of the product imports it.
package drive

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/podlabel"
)

// Stack is a production stack on a cluster.
type Stack struct {
	Namespace, App, Release string
	// Weight is the canary's share in percent, Stable and Canary the pods of the tracks at it.
	Weight, Stable, Canary int
	// Client talks to the API server as a test does, Cluster as the product does.
	Client  kubernetes.Interface
	Cluster *kube.Client
}

// Open reaches the stack's cluster by a kubeconfig.
func Open(kubeconfig, namespace string) (*Stack, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 50, 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	cluster, err := kube.New(kube.Options{Kubeconfig: kubeconfig})
	if err != nil {
		return nil, err
	}
	return &Stack{
		Namespace: namespace, App: "finance-service", Release: "week1", Weight: 10, Stable: 9, Canary: 1, Client: client, Cluster: cluster,
	}, nil
}

// CanaryDeployment and StableDeployment are the names of the tracks' Deployments.
func (s *Stack) CanaryDeployment() string { return s.App + "-" + s.Release }

// StableDeployment is the name of the stable track's Deployment.
func (s *Stack) StableDeployment() string { return s.App + "-stable" }

// Ledger is the stack's ledger.
func (s *Stack) Ledger() ledger.Store {
	return ledger.InConfigMap{Cluster: s.Cluster, Namespace: s.Namespace, Name: s.App + "-ledger"}
}

// State reads where the rollout stands.
func (s *Stack) State(ctx context.Context) (ledger.State, error) {
	history, err := ledger.Read(ctx, s.Ledger())
	if err != nil {
		return ledger.State{}, err
	}
	return history.State(), nil
}

func (s *Stack) deployment(ctx context.Context, name string) (*appsv1.Deployment, error) {
	return s.Client.AppsV1().Deployments(s.Namespace).Get(ctx, name, metav1.GetOptions{})
}

// Image is the digest that the canary's Deployment runs.
func (s *Stack) Image(ctx context.Context) (string, error) {
	found, err := s.deployment(ctx, s.CanaryDeployment())
	if err != nil {
		return "", err
	}
	_, digest, _ := strings.Cut(found.Spec.Template.Spec.Containers[0].Image, "@")
	return digest, nil
}

// SetEnv gives the containers of a Deployment variables; an empty value takes one away.
func (s *Stack) SetEnv(ctx context.Context, deployment string, values map[string]string) error {
	found, err := s.deployment(ctx, deployment)
	if err != nil {
		return err
	}
	container := &found.Spec.Template.Spec.Containers[0]
	for name, value := range values {
		container.Env = slices.DeleteFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == name })
		if value != "" {
			container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
		}
	}
	_, err = s.Client.AppsV1().Deployments(s.Namespace).Update(ctx, found, metav1.UpdateOptions{FieldManager: "drive"})
	return err
}

// Scale sets the pods of a Deployment.
func (s *Stack) Scale(ctx context.Context, deployment string, replicas int) error {
	return s.Cluster.Scale(ctx, s.Namespace, deployment, replicas)
}

// Settle takes the canary out: its Deployment has no pods, none of them is left, and stable has its part of them.
func (s *Stack) Settle(ctx context.Context) error {
	if err := s.Scale(ctx, s.CanaryDeployment(), 0); err != nil {
		return err
	}
	if err := s.Scale(ctx, s.StableDeployment(), s.Stable); err != nil {
		return err
	}
	err := Until(ctx, func() (bool, error) {
		pods, err := s.Pods(ctx, podlabel.Canary)
		if err != nil || len(pods) > 0 {
			return false, err
		}
		pods, err = s.Pods(ctx, podlabel.Stable)
		return err == nil && len(pods) == s.Stable, err
	})
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return s.Cluster.WaitDeploymentReady(ctx, s.Namespace, s.StableDeployment(), s.Stable)
}

// Pods lists the pods of a track.
func (s *Stack) Pods(ctx context.Context, track string) ([]corev1.Pod, error) {
	return s.Cluster.AllPods(ctx, s.Namespace, map[string]string{podlabel.App: s.App, podlabel.Track: track})
}

// Begin notes that the canary gets its weight, and releases its latch first where one is engaged.
func (s *Stack) Begin(ctx context.Context) error { return s.note(ctx, ledger.ShiftBegun) }

// Reached notes that it has it.
func (s *Stack) Reached(ctx context.Context) error { return s.note(ctx, ledger.ShiftReached) }

func (s *Stack) note(ctx context.Context, kind ledger.Kind) error {
	image, err := s.Image(ctx)
	if err != nil {
		return err
	}
	_, err = ledger.Append(ctx, s.Ledger(), time.Now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		var entries []ledger.Entry
		state := current.State()
		if latch, latched := state.Latch(image); latched {
			entries = append(entries, ledger.Entry{Kind: ledger.LatchReleased, Who: "drive", Image: image, Ref: latch.Seq, Reason: "the next try"})
		}
		return append(entries, ledger.Entry{
			Kind: kind, Who: "drive", Release: s.Release, Image: image, Stable: state.Stable, From: state.Weight, To: s.Weight,
		}), nil
	})
	return err
}

// Enter brings the canary in with the variables and gives when its pods were seen ready.
func (s *Stack) Enter(ctx context.Context, env map[string]string) (time.Time, error) {
	if err := s.Settle(ctx); err != nil {
		return time.Time{}, err
	}
	if err := s.SetEnv(ctx, s.CanaryDeployment(), env); err != nil {
		return time.Time{}, err
	}
	if err := s.Begin(ctx); err != nil {
		return time.Time{}, err
	}
	watcher, err := s.Client.CoreV1().Pods(s.Namespace).Watch(ctx, metav1.ListOptions{LabelSelector: podlabel.App + "=" + s.App + "," + podlabel.Track + "=" + podlabel.Canary})
	if err != nil {
		return time.Time{}, err
	}
	defer watcher.Stop()
	if err := s.Scale(ctx, s.CanaryDeployment(), s.Canary); err != nil {
		return time.Time{}, err
	}
	ready := map[types.UID]bool{}
	for {
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("the canary did not become ready: %w", context.Cause(ctx))
		case event, open := <-watcher.ResultChan():
			if !open {
				return time.Time{}, fmt.Errorf("the watch of the canary's pods ended")
			}
			if pod, ok := event.Object.(*corev1.Pod); ok && IsReady(pod) {
				ready[pod.UID] = true
			}
			if len(ready) >= s.Canary {
				return time.Now(), nil
			}
		}
	}
}

// IsReady tells whether a pod is ready.
func IsReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Endpoints names the canary's pods that the Service sends requests to.
func (s *Stack) Endpoints(ctx context.Context) ([]string, error) {
	found, err := s.Cluster.Endpoints(ctx, s.Namespace, s.App)
	return slices.DeleteFunc(found, func(pod string) bool { return !strings.HasPrefix(pod, s.CanaryDeployment()+"-") }), err
}

// Out waits until the Service's EndpointSlices hold no canary pod any more, having held one, and gives when that was.
func (s *Stack) Out(ctx context.Context) (time.Time, error) {
	return s.OutOf(ctx, s.CanaryDeployment()+"-")
}

// OutOf is Out for the pods whose names begin with the prefix.
func (s *Stack) OutOf(ctx context.Context, prefix string) (time.Time, error) {
	seen := sight{holding: map[string]bool{}}
	// The API server ends a watch after half an hour to an hour, and when it restarts itself.
	for {
		at, err := s.watchOut(ctx, prefix, &seen)
		if err == nil || ctx.Err() != nil {
			return at, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// sight is what the EndpointSlices held so far, by their names.
type sight struct {
	held    bool
	holding map[string]bool
}

func (s *Stack) watchOut(ctx context.Context, prefix string, seen *sight) (time.Time, error) {
	watcher, err := s.Client.DiscoveryV1().EndpointSlices(s.Namespace).Watch(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + s.App})
	if err != nil {
		return time.Time{}, err
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("a pod %s… is still among the endpoints: %w", prefix, context.Cause(ctx))
		case event, open := <-watcher.ResultChan():
			if !open {
				return time.Time{}, fmt.Errorf("the watch of the endpoints ended")
			}
			slice, ok := event.Object.(*discoveryv1.EndpointSlice)
			if !ok {
				continue
			}
			seen.holding[slice.Name] = holds(slice, prefix)
			now := slices.Contains(slices.Collect(maps.Values(seen.holding)), true)
			if seen.held && !now {
				return time.Now(), nil
			}
			seen.held = seen.held || now
		}
	}
}

func holds(slice *discoveryv1.EndpointSlice, prefix string) bool {
	return slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
		ready := e.Conditions.Ready == nil || *e.Conditions.Ready
		return ready && e.TargetRef != nil && strings.HasPrefix(e.TargetRef.Name, prefix)
	})
}

// Fault switches the faults of pods that run with FAULTS_ENABLED=true; an empty list makes them healthy.
func (s *Stack) Fault(ctx context.Context, pods []corev1.Pod, faults string) error {
	body, err := json.Marshal(map[string]string{"faults": faults})
	if err != nil {
		return err
	}
	for i := range pods {
		if err := s.put(ctx, pods[i].Name, body); err != nil {
			return fmt.Errorf("switch the faults of %s: %w", pods[i].Name, err)
		}
	}
	return nil
}

// Until asks every 100 ms until it is done.
func Until(ctx context.Context, done func() (bool, error)) error {
	for {
		is, err := done()
		if is && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = context.Cause(ctx)
			}
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// FaultAtOnce is Fault for all pods at the same time: it connects to every one of them first.
func (s *Stack) FaultAtOnce(ctx context.Context, pods []corev1.Pod, faults string) error {
	body, err := json.Marshal(map[string]string{"faults": faults})
	if err != nil {
		return err
	}
	var connected []func() error
	for i := range pods {
		put, closePod, err := s.connect(ctx, pods[i].Name, body)
		if err != nil {
			return fmt.Errorf("reach the faults of %s: %w", pods[i].Name, err)
		}
		defer closePod() //nolint:gocritic // every connection is used until all faults are switched
		connected = append(connected, put)
	}
	var group errgroup.Group
	for _, put := range connected {
		group.Go(put)
	}
	return group.Wait()
}

// Leader is the guard that acts; empty when none does.
func (s *Stack) Leader(ctx context.Context) (string, error) {
	lease, err := s.Client.CoordinationV1().Leases(s.Namespace).Get(ctx, s.App+"-guard", metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return "", err
	}
	return *lease.Spec.HolderIdentity, nil
}
