package main

import (
	"context"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// mirror reports every object back as it was asked for.
type mirror struct{ base }

// Diff compares the inputs. An object of another name is another object.
func (*mirror) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	differs, err := compare(req)
	if err != nil {
		return nil, err
	}
	found := answer(differs)
	if identity(req.GetOldInputs().AsMap()) != identity(req.GetNews().AsMap()) {
		found.Replaces = []string{"metadata"}
	}
	return found, nil
}

// identity is the namespace and the name of an object.
func identity(inputs map[string]any) string {
	metadata, _ := inputs["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	return namespace + "/" + name
}

// Create makes nothing.
func (*mirror) Create(_ context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	id := identity(req.GetProperties().AsMap())
	return &pulumirpc.CreateResponse{Id: id, Properties: req.GetProperties()}, nil
}

// Update changes nothing.
func (*mirror) Update(_ context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	return &pulumirpc.UpdateResponse{Properties: req.GetNews()}, nil
}
