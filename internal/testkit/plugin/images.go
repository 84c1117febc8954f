package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// images builds and pushes images, by the rules of one provider.
type images struct {
	base

	daemon *daemon
	rules  rules
}

// rules are those in which the providers differ.
type rules interface {
	// needsDaemon tells that nothing goes without a daemon, not even a preview.
	needsDaemon() bool
	// order is what the inputs ask for.
	order(inputs resource.PropertyMap) order
	// check completes the inputs; digest is that of the context.
	check(inputs resource.PropertyMap, digest string)
	// differs reports whether the image must be built again.
	differs(req *pulumirpc.DiffRequest, digest string) (bool, error)
	// outputs are what is reported of an image that was pushed.
	outputs(inputs resource.PropertyMap, ordered order, digest, context string) resource.PropertyMap
}

// order is what is to be built, and pushed with which login.
type order struct {
	name, folder, dockerfile, target string
	args                             map[string]string
	login                            login
}

// Configure wants a daemon where the provider does, for whatever comes.
func (p *images) Configure(ctx context.Context,
	_ *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	if p.rules.needsDaemon() {
		if err := p.daemon.ping(ctx); err != nil {
			return nil, fmt.Errorf("failed to connect to any docker daemon: %w", err)
		}
	}
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

// Check finds the Dockerfile from the program's folder.
func (p *images) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	inputs, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	ordered := p.rules.order(inputs)
	digest, err := digestOf(ordered.folder, ordered.dockerfile)
	if err != nil {
		return nil, fmt.Errorf("could not open dockerfile at relative path %q: %w", ordered.dockerfile, err)
	}
	p.rules.check(inputs, digest)
	checked, err := marshal(inputs)
	return &pulumirpc.CheckResponse{Inputs: checked}, err
}

// Diff reports whether the image must be built again.
func (p *images) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	inputs, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	ordered := p.rules.order(inputs)
	digest, err := digestOf(ordered.folder, ordered.dockerfile)
	if err != nil {
		return nil, err
	}
	differs, err := p.rules.differs(req, digest)
	return answer(differs), err
}

// Create builds and pushes the image. A preview does not know what would come of it.
func (p *images) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	if req.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: req.GetProperties()}, nil
	}
	inputs, err := unmarshal(req.GetProperties())
	if err != nil {
		return nil, err
	}
	outputs, err := p.make(ctx, inputs)
	if err != nil {
		return nil, err
	}
	properties, err := marshal(outputs)
	return &pulumirpc.CreateResponse{Id: p.rules.order(inputs).name, Properties: properties}, err
}

// Update builds and pushes the image again.
func (p *images) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	if req.GetPreview() {
		return &pulumirpc.UpdateResponse{Properties: req.GetNews()}, nil
	}
	inputs, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	outputs, err := p.make(ctx, inputs)
	if err != nil {
		return nil, err
	}
	properties, err := marshal(outputs)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

func (p *images) make(ctx context.Context, inputs resource.PropertyMap) (resource.PropertyMap, error) {
	ordered := p.rules.order(inputs)
	context, err := digestOf(ordered.folder, ordered.dockerfile)
	if err != nil {
		return nil, err
	}
	if err := p.daemon.build(ctx, ordered); err != nil {
		return nil, fmt.Errorf("error reading build output: %w", err)
	}
	digest, err := p.daemon.push(ctx, ordered.name, ordered.login)
	if err != nil {
		return nil, fmt.Errorf("error reading push output: %w", err)
	}
	if digest == "" {
		return nil, errors.New("push completed without reporting a digest")
	}
	return p.rules.outputs(inputs, ordered, digest, context), nil
}
