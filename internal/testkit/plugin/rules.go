package main

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// docker are the rules of docker:index/image:Image.
type docker struct{}

func (docker) needsDaemon() bool { return true }

func (docker) order(inputs resource.PropertyMap) order {
	build := object(inputs["build"])
	login := loginOf(inputs["registry"], "server")
	return order{
		name: text(inputs["imageName"]), folder: text(build["context"]), dockerfile: text(build["dockerfile"]),
		target: text(build["target"]), args: texts(build["args"]), login: login,
	}
}

// check keeps the context's digest among the inputs.
func (docker) check(inputs resource.PropertyMap, digest string) {
	object(inputs["build"])["contextDigest"] = resource.NewStringProperty(digest)
}

// differs does not look at the login.
func (docker) differs(req *pulumirpc.DiffRequest, _ string) (bool, error) {
	return compare(req, "registry")
}

func (docker) outputs(_ resource.PropertyMap, o order, digest, _ string) resource.PropertyMap {
	repository, _ := splitTag(o.name)
	return resource.NewPropertyMapFromMap(map[string]any{
		"dockerfile": o.dockerfile, "context": o.folder, "baseImageName": o.name, "imageName": o.name,
		"registryServer": o.login.Server, "repoDigest": repository + "@" + digest,
	})
}

// dockerBuild are the rules of docker-build:index:Image.
type dockerBuild struct{}

func (dockerBuild) needsDaemon() bool { return false }

func (dockerBuild) order(inputs resource.PropertyMap) order {
	o := order{
		folder: text(object(inputs["context"])["location"]), dockerfile: text(object(inputs["dockerfile"])["location"]),
		target: text(inputs["target"]), args: texts(inputs["buildArgs"]),
	}
	if inputs["tags"].IsArray() && len(inputs["tags"].ArrayValue()) > 0 {
		o.name = text(inputs["tags"].ArrayValue()[0])
	}
	if inputs["registries"].IsArray() && len(inputs["registries"].ArrayValue()) > 0 {
		o.login = loginOf(inputs["registries"].ArrayValue()[0], "address")
	}
	return o
}

func (dockerBuild) check(resource.PropertyMap, string) {}

func (dockerBuild) differs(req *pulumirpc.DiffRequest, digest string) (bool, error) {
	olds, err := unmarshal(req.GetOlds())
	if err != nil || text(olds["contextHash"]) != digest {
		return true, err
	}
	return compare(req, "registries")
}

// outputs are the inputs too, its secrets among them: the engine keeps those secret.
func (dockerBuild) outputs(inputs resource.PropertyMap, o order, digest, context string) resource.PropertyMap {
	outputs := maps.Clone(inputs)
	outputs["digest"] = resource.NewStringProperty(digest)
	outputs["ref"] = resource.NewStringProperty(o.name + "@" + digest)
	outputs["contextHash"] = resource.NewStringProperty(context)
	return outputs
}

func loginOf(value resource.PropertyValue, server resource.PropertyKey) login {
	given := object(value)
	return login{Username: text(given["username"]), Password: text(given["password"]), Server: text(given[server])}
}

func object(value resource.PropertyValue) resource.PropertyMap {
	if value.IsObject() {
		return value.ObjectValue()
	}
	return nil
}

func texts(value resource.PropertyValue) map[string]string {
	values := map[string]string{}
	for key, each := range object(value) {
		values[string(key)] = text(each)
	}
	return values
}
