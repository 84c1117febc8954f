package components

import (
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The inputs of the components, as the engine records them and shows their changes. They are what a reviewer reads
// first; the resources below have the rest. None is computed, so that a component waits for nothing, and none is a
// secret.

func (a *EnvironmentArgs) inputs() pulumi.Map {
	return pulumi.Map{"app": pulumi.String(a.App), "environment": pulumi.String(a.Environment),
		"namespace": pulumi.String(a.Namespace), "protected": pulumi.Bool(a.Protect)}
}

func (a *SecretsArgs) inputs() pulumi.Map {
	return pulumi.Map{"names": pulumi.ToStringArray(slices.Sorted(maps.Keys(a.Secrets))),
		"pullSecret": pulumi.String(a.PullName)}
}

func (a *ConfigurationArgs) inputs() pulumi.Map {
	return pulumi.Map{"name": pulumi.String(a.Name), "values": pulumi.ToStringMap(a.Values)}
}

func (a *ImageArgs) inputs() pulumi.Map {
	return pulumi.Map{"name": pulumi.String(a.Name), "context": pulumi.String(a.Build.Context),
		"target": pulumi.String(a.Build.Target), "platform": pulumi.String(a.Build.Platform)}
}

func (a *TrackArgs) inputs() pulumi.Map {
	return pulumi.Map{"deployment": pulumi.String(a.Name), "track": pulumi.String(a.Track),
		"version": pulumi.String(a.Version), "replicas": pulumi.Int(a.Replicas)}
}

func (a *TrafficArgs) inputs() pulumi.Map {
	return pulumi.Map{"service": pulumi.String(a.ServiceName), "type": pulumi.String(a.Type),
		"track": pulumi.String(a.Track)}
}

func (a *RouteArgs) inputs() pulumi.Map {
	return pulumi.Map{"service": pulumi.String(a.ServiceName), "weight": pulumi.Int(a.Weight),
		"gateway": pulumi.String(a.Gateway.Namespace + "/" + a.Gateway.Name)}
}

func (a *MonitoringArgs) inputs() pulumi.Map {
	return pulumi.Map{"release": pulumi.String(a.Rules.Release), "path": pulumi.String(a.Metrics.Path)}
}

func (a *GuardArgs) inputs() pulumi.Map {
	return pulumi.Map{"image": pulumi.String(a.Image), "replicas": pulumi.Int(a.Replicas),
		"service": pulumi.String(a.Service)}
}

func (a *ReleaseArgs) inputs() pulumi.Map {
	return pulumi.Map{"release": pulumi.String(a.Release), "week": pulumi.Int(a.Position.Week),
		"weight": pulumi.Int(a.Position.Weight)}
}
