package components

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

const (
	// guardPort is where the guard serves metrics, health and webhook.
	guardPort = 8080
	// guardGrace is longer than a rollback goes on after the signal to stop.
	guardGrace = 40
	// labelPurpose marks the ConfigMap that the guard finds its rollout in.
	labelPurpose = "finance-rollout/purpose"
	// guardFiles is where the guard's secrets are mounted.
	guardFiles = "/etc/guard"
	// guardKeys is the folder of the webhooks' keys below it, guardAuthorities the file with the trusted certificates.
	guardKeys        = "notify"
	guardAuthorities = "authorities.pem"
	// guardTLS is the folder with the guard's certificate.
	guardTLS = "tls"
	// Keys of a Secret with a certificate, as Kubernetes and cert-manager name them.
	keyCertificate, keyPrivate, keyAuthority = "tls.crt", "tls.key", "ca.crt"
	// guardOwnLogins is the folder of the logins for the stack's own criteria.
	guardOwnLogins = "own"
	// GuardScrapeCA is the file with the certificates that the pods' own are checked by.
	GuardScrapeCA = guardFiles + "/" + guardScrapeCA
	guardScrapeCA = "scrape-ca.pem"
)

// Names of the files that the guard may be given.
const (
	GuardWebhookToken   = "webhook-token"
	GuardDashboardToken = "dashboard-token"
	GuardSmokeKey       = "smoke-key"
	GuardSmokeOrigin    = "smoke-origin"
	// The logins are documents in the form of Prometheus' http_config.
	GuardPrometheusLogin   = "prometheus-login"
	GuardAlertmanagerLogin = "alertmanager-login"
	// GuardLedgerKey signs the ledger.
	GuardLedgerKey = "ledger-key"
)

// GuardArgs are the arguments of NewGuard.
type GuardArgs struct {
	// App is the service that is guarded.
	App App
	// Image is the rollout command's image by digest.
	Image string
	// Replicas are the guard's pods.
	Replicas int
	// Config is the guard's description of the rollout, without any secret; ConfigKey is its key.
	Config, ConfigKey string
	// Ledger, Service and Deployments are the names of what a rollback touches. Record is that of the release record,
	// which keeps the ledger's head; empty for none.
	Ledger, Record, Service string
	Deployments             []string
	// Route is the route whose weights a rollback changes, as NAME or KIND/NAME; empty where there is none.
	Route string
	// Files are the secrets that the guard's pods hold, by the names above and by the secrets' names in the cluster. The
	// guard reads them as files: its account may read no Secret.
	Files map[string]settings.SecretRef
	// NotifyKeys are the keys that sign what webhooks are told, by their names in the guard's configuration. Notified is
	// the ConfigMap that holds how far each webhook was told. Both are empty where none is.
	NotifyKeys map[string]settings.SecretRef
	Notified   string
	// Authorities is a ConfigMap and its key, as configmap/key, with the certificates that the guard trusts for https;
	// empty for none.
	Authorities string
	// ScrapeCA is a ConfigMap and its key, as configmap/key, with the certificates that the pods' own are checked by;
	// empty for the public ones.
	ScrapeCA string
	// Logins are the documents by which the guard gets into its servers, and the key by which it signs the ledger, by the
	// names above. They become a Secret of the guard's own, which its pods hold as files.
	Logins map[string]settings.Secret
	// OwnLogins are those for the addresses of the stack's own criteria, by the names in the guard's configuration. They
	// lie in the same Secret, and in a folder of their own.
	OwnLogins map[string]settings.Secret
	// PullSecrets names the secrets with registry credentials.
	PullSecrets []string
	// Monitored asks for a ServiceMonitor with the labels.
	Monitored bool
	Labels    map[string]string
	// Certificate is the Secret with the certificate by which the guard serves; empty for plain HTTP.
	Certificate string
	// Network is whom the guard talks to.
	Network GuardNetwork
	// DependsOn is what the guard cannot start without.
	DependsOn []pulumi.Resource
	// Hooks run before anything changes that the guard goes by: its Role and its pods. ConfigHooks run before its
	// configuration changes.
	Hooks, ConfigHooks *pulumi.ResourceHookBinding
}

func (a *GuardArgs) validate() error {
	switch {
	case a.App.Name == "" || a.App.Namespace == nil || a.Image == "" || a.Config == "" || a.ConfigKey == "":
		return errors.New("guard: App, Image, Config and ConfigKey are required")
	case a.Ledger == "" || a.Service == "" || len(a.Deployments) == 0:
		return errors.New("guard: Ledger, Service and Deployments are required")
	case a.Replicas < 1:
		return fmt.Errorf("guard: Replicas is %d: allowed is 1 or more", a.Replicas)
	}
	return nil
}

// Guard is the watcher that takes a bad canary out of traffic: a Deployment that may touch what a rollback touches
// and nothing else, what it is told of the rollout, and what reaches it.
type Guard struct {
	pulumi.ResourceState

	// Name is the name of its Deployment.
	Name pulumi.StringOutput
	// Deployment is what to depend on: it waits for everything that the guard needs. The SDK adds the children of a
	// component while it registers them, and may expand a dependency on the component before they are there.
	Deployment *appsv1.Deployment
}

// NewGuard makes the guard.
func NewGuard(ctx *pulumi.Context, name string, args *GuardArgs, opts ...pulumi.ResourceOption) (*Guard, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	guard := &Guard{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Guard", name, args.inputs(), guard,
		opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(guard)
	app := App{Name: names.Guard(args.App.Name), Environment: args.App.Environment, Namespace: args.App.Namespace}
	metadata := app.metadata(app.Name)
	metadata.Labels = app.labelsWith(map[string]string{labelPurpose: "guard"})
	config, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata: metadata, Data: pulumi.StringMap{args.ConfigKey: pulumi.String(args.Config)},
	}, parent, pulumi.ResourceHooks(args.ConfigHooks))
	if err != nil {
		return nil, err
	}
	needed := append([]pulumi.Resource{config}, args.DependsOn...)
	if len(args.Logins)+len(args.OwnLogins) > 0 {
		logins, err := corev1.NewSecret(ctx, name+"-logins", &corev1.SecretArgs{
			Metadata: app.metadata(loginsName(app)), Type: pulumi.String("Opaque"), StringData: secretMap(args.secretLogins()),
		}, parent)
		if err != nil {
			return nil, err
		}
		needed = append(needed, logins)
	}
	account, binding, err := newGuardPermissions(ctx, name, app, args, parent)
	if err != nil {
		return nil, err
	}
	deployment, err := appsv1.NewDeployment(ctx, name, args.deployment(app, account), parent,
		pulumi.DependsOn(append(needed, binding)), pulumi.ResourceHooks(args.Hooks))
	if err != nil {
		return nil, err
	}
	if err := newGuardSurroundings(ctx, name, app, args, parent); err != nil {
		return nil, err
	}
	guard.Deployment, guard.Name = deployment, deployment.Metadata.Name().Elem()
	return guard, ctx.RegisterResourceOutputs(guard, pulumi.Map{"name": guard.Name})
}

// user is the numeric user that the guard's image is made for.
const user = 65532

func (a *GuardArgs) deployment(app App, account pulumi.StringInput) *appsv1.DeploymentArgs {
	labels := app.labels()
	selector := pulumi.StringMap{names.App: pulumi.String(app.Name)}
	metadata := app.metadata(app.Name)
	metadata.Annotations = pulumi.StringMap{"pulumi.com/timeoutSeconds": pulumi.String("180")}
	return &appsv1.DeploymentArgs{
		Metadata: metadata,
		Spec: appsv1.DeploymentSpecArgs{
			Replicas: pulumi.Int(a.Replicas), RevisionHistoryLimit: pulumi.Int(3),
			Selector: metav1.LabelSelectorArgs{MatchLabels: selector},
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{Labels: labels},
				Spec: corev1.PodSpecArgs{
					ServiceAccountName: account.ToStringOutput(), EnableServiceLinks: pulumi.Bool(false),
					TerminationGracePeriodSeconds: pulumi.Int(guardGrace),
					SecurityContext: corev1.PodSecurityContextArgs{
						RunAsNonRoot: pulumi.Bool(true), RunAsUser: pulumi.Int(user), RunAsGroup: pulumi.Int(user),
						FsGroup:        pulumi.Int(user),
						SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
					},
					TopologySpreadConstraints: corev1.TopologySpreadConstraintArray{corev1.TopologySpreadConstraintArgs{
						MaxSkew: pulumi.Int(1), TopologyKey: pulumi.String("kubernetes.io/hostname"),
						WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
						LabelSelector:     metav1.LabelSelectorArgs{MatchLabels: selector},
					}},
					Volumes: a.volumes(app), Containers: corev1.ContainerArray{a.container(app)},
				},
			},
		},
	}
}

func (a *GuardArgs) container(app App) corev1.ContainerArgs {
	// Without the name, everybody who may make a ConfigMap would command the guard.
	arguments := []string{"guard", "--configmap", app.Name, "--lease", app.Name, "--listen", fmt.Sprintf(":%d", guardPort),
		"--leader-label", names.Leader}
	mounts := corev1.VolumeMountArray{}
	files := slices.Concat(slices.Sorted(maps.Keys(a.Files)), slices.Sorted(maps.Keys(a.Logins)))
	for _, name := range files {
		arguments = append(arguments, "--"+name+"-file", guardFiles+"/"+name)
	}
	if len(a.NotifyKeys) > 0 {
		arguments = append(arguments, "--notify-keys", guardFiles+"/"+guardKeys)
	}
	if a.Certificate != "" {
		arguments = append(arguments, "--tls-cert-file", guardFiles+"/"+guardTLS+"/"+keyCertificate,
			"--tls-key-file", guardFiles+"/"+guardTLS+"/"+keyPrivate)
	}
	if len(a.OwnLogins) > 0 {
		arguments = append(arguments, "--own-logins", guardFiles+"/"+guardOwnLogins)
	}
	if len(a.sources(app)) > 0 {
		mounts = append(mounts, corev1.VolumeMountArgs{Name: pulumi.String("files"), MountPath: pulumi.String(guardFiles),
			ReadOnly: pulumi.Bool(true)})
	}
	look := func(path string, period, failures int) corev1.ProbeArgs {
		return corev1.ProbeArgs{
			HttpGet:       a.probed(path),
			PeriodSeconds: pulumi.Int(period), TimeoutSeconds: pulumi.Int(3), FailureThreshold: pulumi.Int(failures),
		}
	}
	return corev1.ContainerArgs{
		Name: pulumi.String("guard"), Image: pulumi.String(a.Image), Args: pulumi.ToStringArray(arguments),
		Env: a.env(),
		Ports: corev1.ContainerPortArray{corev1.ContainerPortArgs{
			Name: pulumi.String(PortName), ContainerPort: pulumi.Int(guardPort), Protocol: pulumi.String("TCP"),
		}},
		Resources: resourceRequirements(settings.Resources{
			Requests: settings.Quantities{CPU: "10m", Memory: "32Mi"}, Limits: settings.Quantities{CPU: "250m", Memory: "64Mi"},
		}),
		LivenessProbe: look("/healthz", 10, 3), ReadinessProbe: look("/readyz", 2, 3), VolumeMounts: mounts,
		SecurityContext: corev1.SecurityContextArgs{
			AllowPrivilegeEscalation: pulumi.Bool(false), ReadOnlyRootFilesystem: pulumi.Bool(true),
			Capabilities: corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
		},
	}
}

// probed is how the kubelet asks the guard. It takes any certificate.
func (a *GuardArgs) probed(path string) corev1.HTTPGetActionArgs {
	action := corev1.HTTPGetActionArgs{Path: pulumi.String(path), Port: pulumi.String(PortName)}
	if a.Certificate != "" {
		action.Scheme = pulumi.String("HTTPS")
	}
	return action
}

func (a *GuardArgs) env() corev1.EnvVarArray {
	env := corev1.EnvVarArray{
		// The runtime collects earlier than by default, and saves where it can before the limit ends it.
		corev1.EnvVarArgs{Name: pulumi.String("GOGC"), Value: pulumi.String("50")},
		corev1.EnvVarArgs{Name: pulumi.String("GOMEMLIMIT"), Value: pulumi.String("40MiB")},
		corev1.EnvVarArgs{Name: pulumi.String("POD_NAME"), ValueFrom: corev1.EnvVarSourceArgs{
			FieldRef: corev1.ObjectFieldSelectorArgs{FieldPath: pulumi.String("metadata.name")},
		}},
	}
	if a.Authorities != "" {
		env = append(env, corev1.EnvVarArgs{Name: pulumi.String("SSL_CERT_FILE"),
			Value: pulumi.String(guardFiles + "/" + guardAuthorities)})
	}
	return env
}

// newGuardSurroundings makes what reaches the guard and keeps it running.
func newGuardSurroundings(ctx *pulumi.Context, name string, app App, args *GuardArgs,
	parent pulumi.ResourceOption) error {
	selector := pulumi.StringMap{names.App: pulumi.String(app.Name)}
	if args.Replicas > 1 {
		if _, err := policyv1.NewPodDisruptionBudget(ctx, name, &policyv1.PodDisruptionBudgetArgs{
			Metadata: app.metadata(app.Name),
			Spec: policyv1.PodDisruptionBudgetSpecArgs{MaxUnavailable: pulumi.Int(1),
				Selector:                   metav1.LabelSelectorArgs{MatchLabels: selector},
				UnhealthyPodEvictionPolicy: pulumi.String(evictUnhealthy)},
		}, parent); err != nil {
			return err
		}
	}
	if err := newGuardPolicy(ctx, name, app, args.Network, parent); err != nil {
		return err
	}
	port := corev1.ServicePortArgs{Name: pulumi.String(PortName), Port: pulumi.Int(guardPort),
		TargetPort: pulumi.String(PortName)}
	if _, err := corev1.NewService(ctx, name, &corev1.ServiceArgs{
		Metadata: app.metadata(app.Name),
		Spec: corev1.ServiceSpecArgs{
			Selector: pulumi.StringMap{names.App: pulumi.String(app.Name)}, ClusterIP: pulumi.String("None"),
			Ports: corev1.ServicePortArray{port},
		},
	}, parent); err != nil {
		return err
	}
	if _, webhook := args.Files[GuardWebhookToken]; webhook {
		if err := newWebhookService(ctx, name, app, port, parent); err != nil {
			return err
		}
	}
	if !args.Monitored {
		return nil
	}
	_, err := apiextensions.NewCustomResource(ctx, name+"-ServiceMonitor", &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String(MonitoringAPI), Kind: pulumi.String("ServiceMonitor"),
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(app.Name), Namespace: app.Namespace,
			Labels: app.labelsWith(args.Labels)},
		OtherFields: kubernetes.UntypedArgs{"spec": map[string]any{
			"selector":        map[string]any{"matchLabels": map[string]any{names.App: app.Name}},
			"podTargetLabels": []any{names.App},
			"endpoints":       []any{args.scraped(app)},
		}},
	}, parent)
	return err
}

// scraped is how Prometheus scrapes the guard.
func (a *GuardArgs) scraped(app App) map[string]any {
	endpoint := map[string]any{"port": PortName, "path": "/metrics", "interval": "15s"}
	if a.Certificate != "" {
		endpoint["scheme"] = "https"
		endpoint["tlsConfig"] = map[string]any{
			"ca": map[string]any{"secret": map[string]any{"name": a.Certificate, "key": keyAuthority}},
			"serverName": app.Namespace.ToStringOutput().ApplyT(func(namespace string) string {
				return app.Name + "." + namespace + ".svc"
			}),
		}
	}
	return endpoint
}

func resourceRequirements(r settings.Resources) corev1.ResourceRequirementsArgs {
	amount := func(q settings.Quantities) pulumi.StringMap {
		return pulumi.StringMap{"cpu": pulumi.String(q.CPU), "memory": pulumi.String(q.Memory)}
	}
	return corev1.ResourceRequirementsArgs{Requests: amount(r.Requests), Limits: amount(r.Limits)}
}
