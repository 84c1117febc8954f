# Entry points; the work is done by Go programs. `make help` lists the targets.

export CGO_ENABLED := 0
LOCAL := .local/bin/local
BUILD := .local/bin/build

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: local
local:
	@mkdir -p .local/bin && go build -buildvcs=false -o $(LOCAL) ./local

.PHONY: build
build:
	@mkdir -p .local/bin && go build -buildvcs=false -o $(BUILD) ./build

.PHONY: tools
tools: local ## Find or build the tools of the local cluster in .local/bin
	@$(LOCAL) tools

# KUBECONFIG=... on the command line selects another cluster; the local one is not started then.
.PHONY: cluster
cluster: local ## Start the local cluster or its stopped parts; GATEWAY=1 adds Traefik
ifeq ($(origin KUBECONFIG), command line)
	@echo "using the cluster of $(KUBECONFIG); the local one is not started"
else
	@$(LOCAL) up $(if $(GATEWAY),--gateway)
endif

.PHONY: demo
demo: cluster ## Start the cluster and roll out week 1 on it
ifeq ($(origin KUBECONFIG), command line)
	@$(LOCAL) demo --kubeconfig "$(KUBECONFIG)"
else
	@$(LOCAL) demo
endif

.PHONY: traffic
traffic: local ## Send customers' requests to the production stack for half an hour
	@$(LOCAL) traffic --restart

.PHONY: status
status: local ## Show the running parts of the local cluster
	@$(LOCAL) status

.PHONY: down
down: local ## End the local cluster; ARGS=--reset also deletes its data, ARGS=--purge all of .local
	@$(LOCAL) down $(ARGS)

# The checks; `make test` runs all of them, one after another.
.NOTPARALLEL:

GO_TESTS := grep -rl --include='*_test.go' --exclude-dir=.local
E2E_FILES = $(shell $(GO_TESTS) '^//go:build e2e' .)
E2E_PACKAGES = $(sort $(dir $(E2E_FILES)))
# Their names: the packages' other tests are those of `make unit`.
E2E_TESTS = $(shell grep -ho '^func Test[A-Za-z0-9_]*.t ' $(E2E_FILES) | sed 's/^func //; s/.t $$//' | paste -sd'|')
FUZZTIME := 10s
GO := go
LINT := GOFLAGS=-buildvcs=false .local/bin/golangci-lint

.PHONY: test
test: lint packages actionlint vulnerabilities unit chaos e2e ## Every check but e2e-long: linters, vulnerabilities, unit tests, chaos, end-to-end tests

.PHONY: packages
packages: local
	@$(LOCAL) packages

.PHONY: linter
linter: build
	@$(BUILD) tools golangci-lint

.PHONY: lint
lint: linter ## Run the linters of .golangci.yml
	@$(LINT) run

# Without shellcheck, which `make packages` installs, actionlint does not check their scripts.
.PHONY: actionlint
actionlint: build ## Check the workflows
	@$(BUILD) tools actionlint
	@.local/bin/actionlint

# The database is pinned; VULNDB=https://vuln.go.dev also finds newer entries.
.PHONY: vulnerabilities
vulnerabilities: build ## Look for known vulnerabilities in code that ours calls
	@$(BUILD) vulnerabilities --db "$(VULNDB)"

.PHONY: release
release: build ## Build the rollout command, its image and bills of materials twice into .local/release
	@$(BUILD) release

.PHONY: fmt
fmt: linter ## Format the code
	@$(LINT) fmt

# Pulumi lists all modules before it runs the program, which adds missing lines to go.sum: add them here.
.PHONY: tidy
tidy: ## Tidy go.mod and go.sum
	@go mod tidy && go list -m -mod=mod all >/dev/null

.PHONY: unit
unit: ## Run the unit tests; some need PostgreSQL installed
	@go test -shuffle=on ./...

# The race detector needs a C compiler, which nothing else here does.
RACE_PACKAGES = ./internal/guard/... ./internal/ledger/... ./internal/notify/... ./internal/rollout/... ./internal/shift/... ./internal/cli/...

.PHONY: race
race: ## Run the unit tests of the guard and the rollout command under the race detector; needs a C compiler
	@CGO_ENABLED=1 go test -race $(RACE_PACKAGES)

# The end-to-end tests that a second machine runs beside `make test`, in the workflow check: one machine of two
# processors would take over an hour for all of them. Commands trade memory for processor time by GOGC.
E2E_LONG := ^Test(Blind|Commands|Diagnose|Faults|Interrupted|Rails)$$
E2E = GOGC=400 $(LOCAL) run --gateway -- $(BUILD) test --log .local/logs/$@.json -- \
	-tags e2e -count=1 -vet=off -p 2 -parallel 16 -timeout 65m

.PHONY: e2e
e2e: local build ## Run the end-to-end tests but for the long ones; start the local cluster for them and end it, unless it runs already
	@$(E2E) -run '^($(E2E_TESTS))$$' -skip '$(E2E_LONG)' $(E2E_PACKAGES)

.PHONY: e2e-long
e2e-long: local build ## Run the long end-to-end tests
	@$(E2E) -run '$(E2E_LONG)' ./e2e

# The first sequence has the seed SEED, each next one the next number.
SEQUENCES := 8
SEED := 1
.PHONY: chaos
chaos: local ## Run SEQUENCES random operator sequences from SEED on with the real engine; needs no cluster
	@$(LOCAL) tools pulumi pulumi-language-go
	@go test -tags chaos -count=1 -timeout 120m ./e2e/chaos -sequences $(SEQUENCES) -seed $(SEED)

.PHONY: fuzz
fuzz: ## Run every fuzz test for FUZZTIME (default 10s)
	@for file in $$($(GO_TESTS) '^func Fuzz' .); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$(dirname $$file) || exit 1; \
		done; \
	done

.PHONY: bench
bench: cluster ## Measure previews beside an empty program's, into docs/benchmarks.md
	@go run ./bench

.PHONY: bench-tests
bench-tests: ## List the slowest tests of the last `make e2e` in docs/benchmarks.md
	@go run ./bench/tests

.PHONY: bench-verdicts
bench-verdicts: ## Simulate false rollbacks and the requests that verdicts need, into docs/benchmarks.md
	@go run ./bench/verdicts $(ARGS)

.PHONY: bench-forecast
bench-forecast: ## Compare forecasts with what came and time them, into docs/benchmarks.md; ARGS=... for its flags
	@go run ./bench/forecast $(ARGS)

.PHONY: bench-peers
bench-peers: cluster ## Measure a bad canary under the guard beside Argo Rollouts, into docs/benchmarks.md
	@$(LOCAL) tools rollouts-controller
	@go run ./bench/peers $(ARGS)

.PHONY: bench-redaction
bench-redaction: ## Measure the redactor by its corpus, into docs/benchmarks.md
	@go run ./bench/redaction

.PHONY: bench-guard
bench-guard: cluster ## Measure how fast the guard takes out a bad canary, into docs/benchmarks.md; ARGS=... for its flags
	@go run ./bench/guard $(ARGS)

.PHONY: bench-shifts
bench-shifts: cluster ## Measure shifts under load and beside kubectl, into docs/benchmarks.md; ARGS=... for its flags
	@go run ./bench/shifts $(ARGS)

.PHONY: bench-rollbacks
bench-rollbacks: cluster ## Measure rollbacks by hand beside kubectl, into docs/benchmarks.md; ARGS=... for its flags
	@go run ./bench/rollbacks $(ARGS)

.PHONY: docs
docs: ## Regenerate docs/configuration.md, docs/smoke-suite.md and docs/cli.md
	@go run ./docs/gen
	@go test ./internal/cli -run TestTheReference -update >/dev/null && chmod 0644 docs/cli.md
