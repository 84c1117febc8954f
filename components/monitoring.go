package components

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// MonitoringAPI is the group version of the Prometheus Operator's kinds.
const MonitoringAPI = "monitoring.coreos.com/v1"

// MonitoringArgs are the arguments of NewMonitoring.
type MonitoringArgs struct {
	App App
	// Metrics says where the pods serve their metrics and how they are called.
	Metrics settings.Metrics
	// Labels are put on the ServiceMonitor and the PrometheusRule.
	Labels map[string]string
	// DashboardLabels are put on the dashboard's ConfigMap.
	DashboardLabels map[string]string
	// Rules are the thresholds and names that rules and dashboard are made from.
	Rules alerts.Params
	// Hooks run before scrape, rules or dashboard change.
	Hooks *pulumi.ResourceHookBinding
}

func (a *MonitoringArgs) validate() error {
	if a.App.Name == "" || a.Metrics.Path == "" || a.Metrics.Interval == 0 {
		return errors.New("monitoring: App.Name, Metrics.Path and Metrics.Interval are required")
	}
	return nil
}

// Monitoring is what makes the tracks comparable: the scrape of both, recording rules and alerts by track, and a
// dashboard.
type Monitoring struct {
	pulumi.ResourceState

	// DashboardUID is the uid of the Grafana dashboard.
	DashboardUID pulumi.StringOutput
}

// NewMonitoring makes the ServiceMonitor, the PrometheusRule and the dashboard.
func NewMonitoring(ctx *pulumi.Context, name string, args *MonitoringArgs, opts ...pulumi.ResourceOption) (*Monitoring,
	error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	monitoring := &Monitoring{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Monitoring", name, args.inputs(), monitoring,
		opts...); err != nil {
		return nil, err
	}
	options := []pulumi.ResourceOption{pulumi.Parent(monitoring), pulumi.ResourceHooks(args.Hooks)}
	if err := newCustom(ctx, name, "ServiceMonitor", args, args.serviceMonitor(), options...); err != nil {
		return nil, err
	}
	rules, err := alerts.Rules(args.Rules)
	if err != nil {
		return nil, fmt.Errorf("monitoring rules: %w", err)
	}
	if err := newCustom(ctx, name, "PrometheusRule", args, rules, options...); err != nil {
		return nil, err
	}
	document, err := alerts.Dashboard(args.Rules)
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	metadata := args.App.metadata(names.Dashboard(args.App.Name))
	metadata.Labels = args.App.labelsWith(args.DashboardLabels)
	dashboard, err := corev1.NewConfigMap(ctx, name+"-dashboard", &corev1.ConfigMapArgs{
		Metadata: metadata,
		Data:     pulumi.StringMap{args.Rules.DashboardUID + ".json": pulumi.String(document)},
	}, options...)
	if err != nil {
		return nil, err
	}
	monitoring.DashboardUID = dashboard.ID().ApplyT(
		func(pulumi.ID) string { return args.Rules.DashboardUID }).(pulumi.StringOutput)
	return monitoring, ctx.RegisterResourceOutputs(monitoring, pulumi.Map{"dashboardUID": monitoring.DashboardUID})
}

func newCustom(ctx *pulumi.Context, name, kind string, args *MonitoringArgs, spec map[string]any,
	options ...pulumi.ResourceOption) error {
	_, err := apiextensions.NewCustomResource(ctx, name+"-"+kind, &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String(MonitoringAPI),
		Kind:       pulumi.String(kind),
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(args.App.Name), Namespace: args.App.Namespace, Labels: args.App.labelsWith(args.Labels),
		},
		OtherFields: kubernetes.UntypedArgs{"spec": spec},
	}, options...)
	return err
}

func (a *MonitoringArgs) serviceMonitor() map[string]any {
	port := PortName
	if a.Metrics.Port != 0 {
		port = MetricsPortName
	}
	endpoint := map[string]any{
		"port": port, "path": a.Metrics.Path, "interval": a.Metrics.Interval.String(),
		"scrapeTimeout": a.Metrics.Interval.String(),
	}
	if a.Metrics.Scheme == "https" {
		endpoint["scheme"] = a.Metrics.Scheme
		certificate := map[string]any{"insecureSkipVerify": a.Metrics.TLS.InsecureSkipVerify}
		if a.Metrics.TLS.ServerName != "" {
			certificate["serverName"] = a.Metrics.TLS.ServerName
		}
		if name, key, ok := strings.Cut(a.Metrics.TLS.CA, "/"); ok {
			certificate["ca"] = map[string]any{"configMap": map[string]any{"name": name, "key": key}}
		}
		endpoint["tlsConfig"] = certificate
	}
	spec := map[string]any{
		"selector": map[string]any{"matchLabels": map[string]any{names.App: a.App.Name,
			names.Environment: a.App.Environment, names.Scraped: names.Enabled}},
		"podTargetLabels": []any{names.App, names.Track, names.Version},
		"endpoints":       []any{endpoint},
	}
	if a.Metrics.ScrapeClassic {
		// An operator of before 0.79 does not know the field.
		spec["scrapeClassicHistograms"] = true
	}
	return spec
}
