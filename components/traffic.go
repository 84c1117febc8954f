package components

import (
	"errors"
	"fmt"
	"time"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

// PortName is the name of the container's and of the Service's port.
const PortName = names.Port

// MetricsPortName is the name of the Service's port for scrapes, where the pods serve their metrics on another one.
const MetricsPortName = "metrics"

// servicePorts are the port for requests and, unless it is 0, the one for scrapes. That leads to the pods' port by its
// number, so that it needs no change of the pods.
func servicePorts(requests corev1.ServicePortArgs, metrics int) corev1.ServicePortArray {
	ports := corev1.ServicePortArray{requests}
	if metrics != 0 {
		ports = append(ports, corev1.ServicePortArgs{Name: pulumi.String(MetricsPortName), Port: pulumi.Int(metrics),
			TargetPort: pulumi.Int(metrics)})
	}
	return ports
}

// TrafficArgs are the arguments of NewTraffic.
type TrafficArgs struct {
	App App
	// ServiceName is the name of the Service.
	ServiceName string
	// Port is the Service's port.
	Port int
	// MetricsPort is the pods' port for scrapes; 0 for that of the requests.
	MetricsPort int
	// Type is ClusterIP, NodePort or LoadBalancer.
	Type string
	// NodePort is a fixed node port, 0 for none.
	NodePort int
	// SessionAffinity pins a client address to one pod.
	SessionAffinity bool
	// Track is the only track that gets requests; empty means both.
	Track string
	// Protect refuses every update that would delete or replace the Service.
	Protect bool
	// Timeout is how long the provider waits until no endpoint of the Service is unready; 0 for its default.
	Timeout time.Duration
	// Unscraped means that Prometheus scrapes the pods by other Services.
	Unscraped bool
	// Hooks run before the selector changes.
	Hooks *pulumi.ResourceHookBinding
}

func (a *TrafficArgs) validate() error {
	switch {
	case a.ServiceName == "" || a.Port == 0 || a.Type == "":
		return errors.New("traffic: ServiceName, Port and Type are required")
	case a.Track != "" && a.Track != names.Stable && a.Track != names.Canary:
		return fmt.Errorf("traffic: Track is %q: allowed are %s, %s, or empty for both", a.Track, names.Stable, names.Canary)
	}
	return nil
}

// Traffic is how requests reach the tracks: one Service over the pods of both, so that the share of a track is its
// share of the pods. At 100 % it selects the canary's alone, so that the stable pods that stand by get none.
type Traffic struct {
	pulumi.ResourceState

	// ServiceName is the name of the Service.
	ServiceName pulumi.StringOutput
}

// options are those of the Service. The provider waits for its endpoints, the pods of both tracks: the limit is the
// tracks', so that a pod that never becomes ready ends the update when they do. It is no annotation, because that would
// change the Services of existing stacks.
func (a *TrafficArgs) options(traffic *Traffic) []pulumi.ResourceOption {
	options := []pulumi.ResourceOption{
		pulumi.Parent(traffic), pulumi.ResourceHooks(a.Hooks), pulumi.Protect(a.Protect),
	}
	if a.Timeout > 0 {
		limit := a.Timeout.String()
		options = append(options, pulumi.Timeouts(&pulumi.CustomTimeouts{Create: limit, Update: limit}))
	}
	return options
}

// NewTraffic makes the Service.
func NewTraffic(ctx *pulumi.Context, name string, args *TrafficArgs, opts ...pulumi.ResourceOption) (*Traffic, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	traffic := &Traffic{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Traffic", name, args.inputs(), traffic,
		opts...); err != nil {
		return nil, err
	}
	affinity := "None"
	if args.SessionAffinity {
		affinity = "ClientIP"
	}
	port := corev1.ServicePortArgs{Name: pulumi.String(PortName), Port: pulumi.Int(args.Port),
		TargetPort: pulumi.String(PortName)}
	if args.NodePort != 0 {
		port.NodePort = pulumi.Int(args.NodePort)
	}
	selector := pulumi.StringMap{names.App: pulumi.String(args.App.Name), names.Traffic: pulumi.String(names.Enabled)}
	if args.Track != "" {
		selector[names.Track] = pulumi.String(args.Track)
	}
	metadata := args.App.metadata(args.ServiceName)
	metadata.Annotations = takenBack()
	if !args.Unscraped {
		metadata.Labels = args.App.labelsWith(map[string]string{names.Scraped: names.Enabled})
	}
	service, err := corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: metadata,
		Spec: corev1.ServiceSpecArgs{
			Type:            pulumi.String(args.Type),
			Selector:        selector,
			SessionAffinity: pulumi.String(affinity),
			Ports:           servicePorts(port, args.MetricsPort),
		},
	}, args.options(traffic)...)
	if err != nil {
		return nil, err
	}
	traffic.ServiceName = service.Metadata.Name().Elem()
	return traffic, ctx.RegisterResourceOutputs(traffic, pulumi.Map{"serviceName": traffic.ServiceName})
}
