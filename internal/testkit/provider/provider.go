package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Serve serves the provider to the engine that has started this process, and returns when the engine ends it. The
// engine reads the port from the standard output.
func Serve() error {
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Init: func(server *grpc.Server) error {
		pulumirpc.RegisterResourceProviderServer(server, &provider{})
		return nil
	}})
	if err != nil {
		return err
	}
	if _, err := fmt.Println(handle.Port); err != nil {
		return err
	}
	return <-handle.Done
}

// provider answers the engine. The engine configures each of its provider resources in a process of its own.
type provider struct {
	pulumirpc.UnimplementedResourceProviderServer

	cluster *objects
}

// GetPluginInfo implements pulumirpc.ResourceProviderServer.
func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "4.25.0"}, nil
}

// CheckConfig implements pulumirpc.ResourceProviderServer.
func (p *provider) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// DiffConfig implements pulumirpc.ResourceProviderServer.
func (p *provider) DiffConfig(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	before, after, err := pair(r.GetOldInputs(), r.GetNews())
	if err != nil {
		return nil, err
	}
	return difference(before, after, replacedCluster(before, after)), nil
}

// Configure implements pulumirpc.ResourceProviderServer.
func (p *provider) Configure(_ context.Context, r *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	given, err := read(r.GetArgs())
	if err != nil {
		return nil, err
	}
	p.cluster = &objects{}
	p.cluster.kubeconfig, _ = at(given, "kubeconfig").(string)
	p.cluster.context, _ = at(given, "context").(string)
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

// Check implements pulumirpc.ResourceProviderServer.
func (p *provider) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// Diff implements pulumirpc.ResourceProviderServer.
func (p *provider) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	before, after, err := pair(r.GetOldInputs(), r.GetNews())
	if err != nil {
		return nil, err
	}
	response := difference(before, after, replacedObject(before, after))
	// An object is known by its name: the old one has to go before the new one comes.
	response.DeleteBeforeReplace = len(response.GetReplaces()) > 0 && idOf(before) == idOf(after)
	return response, nil
}

// Create implements pulumirpc.ResourceProviderServer. An object that exists is taken over, as server-side apply does.
func (p *provider) Create(ctx context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	if r.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: r.GetProperties()}, nil
	}
	inputs, err := read(r.GetProperties())
	if err != nil {
		return nil, err
	}
	live, err := p.apply(ctx, inputs)
	return &pulumirpc.CreateResponse{Id: idOf(inputs), Properties: live}, err
}

// Update implements pulumirpc.ResourceProviderServer.
func (p *provider) Update(ctx context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	if r.GetPreview() {
		return &pulumirpc.UpdateResponse{Properties: r.GetNews()}, nil
	}
	inputs, err := read(r.GetNews())
	if err != nil {
		return nil, err
	}
	live, err := p.apply(ctx, inputs)
	return &pulumirpc.UpdateResponse{Properties: live}, err
}

// Read implements pulumirpc.ResourceProviderServer. An object that is gone has no ID.
func (p *provider) Read(ctx context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	inputs, err := read(r.GetInputs())
	if err != nil {
		return nil, err
	}
	live, err := p.cluster.get(ctx, plain(inputs))
	if err != nil || live == nil {
		return &pulumirpc.ReadResponse{}, err
	}
	outputs, err := write(resource.NewPropertyMapFromMap(live))
	if err != nil {
		return nil, err
	}
	found, err := write(readBack(inputs, given(live)))
	return &pulumirpc.ReadResponse{Id: r.GetId(), Properties: outputs, Inputs: found}, err
}

// Delete implements pulumirpc.ResourceProviderServer.
func (p *provider) Delete(ctx context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	state, err := read(r.GetProperties())
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, p.cluster.delete(ctx, plain(state))
}

// Cancel implements pulumirpc.ResourceProviderServer.
func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// apply applies an object and gives its live state.
func (p *provider) apply(ctx context.Context, inputs resource.PropertyMap) (*structpb.Struct, error) {
	live, err := p.cluster.apply(ctx, plain(inputs))
	if err != nil {
		return nil, err
	}
	return write(resource.NewPropertyMapFromMap(live))
}

var marshaling = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, SkipNulls: true}

func read(properties *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(properties, marshaling)
}

func write(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, marshaling)
}

func pair(before, after *structpb.Struct) (from, to resource.PropertyMap, err error) {
	if from, err = read(before); err != nil {
		return nil, nil, err
	}
	to, err = read(after)
	return from, to, err
}
