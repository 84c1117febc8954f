# What a person types. The work is done by Go programs; `make help` lists the targets.

export CGO_ENABLED := 0
LOCAL := .local/bin/local

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: local
local:
	@mkdir -p .local/bin && go build -buildvcs=false -o $(LOCAL) ./local

.PHONY: tools
tools: local ## Find or build the pinned tools in .local/bin
	@$(LOCAL) tools

# With KUBECONFIG=... on the command line, that cluster is used and the local one is not started.
.PHONY: cluster
cluster: local ## Start the local cluster, or what is not running of it
ifeq ($(origin KUBECONFIG), command line)
	@echo "using the cluster of $(KUBECONFIG); the local one is not started"
else
	@$(LOCAL) up
endif

.PHONY: demo
demo: cluster ## Start the cluster and roll out week 1 on it
	@$(LOCAL) demo

.PHONY: traffic
traffic: local ## Send customers' requests to the production stack for half an hour
	@$(LOCAL) traffic --restart

.PHONY: status
status: local ## Show what runs of the local cluster
	@$(LOCAL) status

.PHONY: down
down: local ## End the local cluster; ARGS=--reset also deletes its data, ARGS=--purge all of .local
	@$(LOCAL) down $(ARGS)
