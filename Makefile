# Everything that is done to this repository, by name. "make" alone lists it.

BIN          := .cache/bin
LINT_VERSION := v2.14.0
LINT         := $(BIN)/golangci-lint-$(LINT_VERSION)
FUZZTIME     ?= 30s
BENCHTIME    ?= 1s
PKG          ?= ./...
GOTEST       := go test -race -shuffle=on -timeout=20m
# Those that take longest begin first, so that none is left to run alone.
FIRST        := ./internal/e2e ./internal/worker ./internal/dispatch ./internal/desk

# What is tested, checked and released is built by the Go that go.mod names, also
# on a machine whose own is older and told to stay so (make GOTOOLCHAIN=local
# keeps the machine's).
export GOTOOLCHAIN := $(shell sed -n 's/^toolchain //p' go.mod)

.DEFAULT_GOAL := help
.PHONY: help build run test test-fast check lint fmt fmt-check vet fuzz screenshots bench deploy-check acceptance release cover generate verify vuln vuln-if-reachable clean

help: ## list what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the programs into bin/
	go build -trimpath -o bin/ ./cmd/...

run: ## run everything in one process, with nothing installed
	go run ./cmd/api

test: $(BIN)/withservices ## the whole proof: brings and starts Redis, PostgreSQL and an S3 server, skips nothing
	$(BIN)/withservices $(GOTEST) $(if $(filter ./...,$(PKG)),$(FIRST)) $(PKG)

test-fast: ## the tests that need nothing, each skip saying what would have run
	go test -shuffle=on $(PKG)

check: fmt-check vet lint verify vuln-if-reachable ## what must hold before a commit and needs no service

lint: $(LINT) ## golangci-lint, as .golangci.yml argues it
	$(LINT) run $(PKG)

fmt: $(LINT) ## format everything
	$(LINT) fmt

fmt-check:
	@unformatted="$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go'))"; \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi

vet:
	go vet $(PKG)

fuzz: ## run every fuzz test for FUZZTIME (30s) each
	@for pkg in $$(go list $(PKG)); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

screenshots: $(BIN)/withservices ## take the pages of desk and room for docs/screenshots, in light, dark and phone width
	mkdir -p docs/screenshots
	SCREENSHOTS=$(abspath docs/screenshots) $(BIN)/withservices go test ./internal/desk ./internal/ops -run '^TestScreenshots$$' -count=1

bench: $(BIN)/withservices ## measure each figure beside its floor in the same run (ROWS='accept|polls' for some)
	$(BIN)/withservices go test -run '^$$' -bench '^BenchmarkTable$$' -benchtime 1x -timeout 30m ./internal/bench -args -rows '$(ROWS)'

deploy-check: ## deploy/ against an emulator of AWS, as far as this machine has Terraform, its provider and moto
	deploy/check.sh

acceptance: $(BIN)/withservices ## the seed's seven criteria of success, each seen once on local servers
	$(BIN)/withservices go test -count=1 -v -run '^TestAcceptance$$' ./internal/e2e

release: ## archives, contents and checksums for each system into dist/, built twice and compared (ONLY=linux/amd64 for some)
	go run ./internal/release -twice -only '$(ONLY)'

cover: $(BIN)/withservices ## which lines no test reaches
	$(BIN)/withservices go test -coverprofile=.cache/cover.out -coverpkg=./... $(PKG)
	go tool cover -func=.cache/cover.out | tail -1
	go tool cover -html=.cache/cover.out -o .cache/cover.html
	@echo "see .cache/cover.html"

# Each generated or golden file has a test beside what it is made from, which
# compares it, and rewrites it under -update.
GOLDEN = $(sort $(dir $(shell git grep -l --untracked -e 'flag.Bool."update"' -e 'imagegentest"' -- '*_test.go')))

generate: ## rewrite generated and golden files; look at the diff
	go test $(addprefix ./,$(GOLDEN)) -count=1 -update

verify: ## generated files, the shape of the tree and the modules are current
	go mod verify
	go test ./internal/importrules $(addprefix ./,$(GOLDEN)) -count=1

vuln: ## known vulnerabilities in what we call
	@.ci/vuln $(PKG)

# Without a network it says that nothing was looked at, and does not fail.
vuln-if-reachable:
	@.ci/vuln --if-reachable $(PKG)

clean: ## remove what was built, keep what was downloaded
	rm -rf bin dist $(BIN)/withservices .cache/cover.*

# Built and not "go run": that would not hand on a SIGTERM, and the servers
# would outlive the run.
$(BIN)/withservices: $(wildcard internal/testenv/cmd/withservices/*.go internal/testenv/service/*.go)
	go build -o $@ ./internal/testenv/cmd/withservices

# A name with the version in it, so that a raised version is built anew.
$(LINT):
	GOBIN=$(abspath $(BIN)) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv $(BIN)/golangci-lint $@
