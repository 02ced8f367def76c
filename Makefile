# Countersign. `make demo` to see it, `make setup test` to prove it.
SHELL := /bin/bash
DEMO_PORT ?= 8080
GO_TOOL := go tool -modfile=tools.mod
PACKAGES := chromium postgresql poppler-utils qpdf openssl gcc libc6-dev fonts-dejavu-core \
  default-jdk-headless libpdfbox2-java libbcpkix-java libbcprov-java
BUILD := CGO_ENABLED=0 go build -trimpath -ldflags='-s -w'

.PHONY: build demo setup generate fresh lint vet unit fuzz e2e image-check test bench soak interop dev image clean

build:
	$(BUILD) -o bin/ ./cmd/portal ./cmd/demo ./cmd/dtmsim ./cmd/pades

# Portal, simulator and login provider on SQLite and a folder. A clean start each time,
# unless DATA names a folder to keep.
demo:
	@go build -o bin/ ./cmd/portal ./cmd/demo
	@bin/demo -port $(DEMO_PORT) $(if $(DATA),-data $(DATA))

# What the tests need on Debian. Root is needed for apt alone.
setup:
	@missing=""; for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
	go mod download
	go mod download -modfile=tools.mod
	cd web && npm ci --no-audit --no-fund
	cd e2e && npm ci --no-audit --no-fund

# Templates, browser assets and the reference of the configuration; all are committed, so
# `go build` needs no tool.
generate:
	$(GO_TOOL) templ fmt web/templates
	$(GO_TOOL) templ generate -path web/templates
	cd web && node build.mjs
	go run ./cmd/portal config -markdown > docs/configuration.md

# What was generated is what is committed.
fresh: generate
	@git diff --exit-code --stat -- web docs/configuration.md || { echo "generated files are not fresh: run make generate and commit"; exit 1; }
	@test -z "$$(git status --porcelain -- web/static web/templates docs/configuration.md)" || { git status --porcelain -- web docs; echo "generated files are not committed"; exit 1; }

vet:
	go vet ./...

lint:
	$(GO_TOOL) golangci-lint run ./...
	cd e2e && npx tsc --noEmit
	cd web && npx tsc --noEmit -p .

# Everything that must hold; ends with "N passed, N failed, N skipped".
test:
	@.ci/test

# Ratios against limits of the machine, measured in the same run: bench/results.md. Half an
# hour; worth something only while the machine does nothing else.
bench:
	@which wrk /usr/bin/time >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends wrk time; }
	go run ./bench

# The long forms: files of up to a gigabyte on a disk with 3 GB free, judged by three
# programs of others; then the portal killed 20 times at each point and 200 times at any
# moment, on both databases, alone and as one of three, which takes hours; then every guard of a
# list taken out, to see that its test fails. Fuzzing is its own: make fuzz FUZZTIME=10m.
soak:
	COUNTERSIGN_SOAK=1 go test -count=1 -timeout 60m ./pades/...
	COUNTERSIGN_SOAK=1 go test -count=1 -timeout 30m -run 'EveryCall|AnyMoment|WholeChangeBack' ./db ./identity ./signing
	go test -count=25 -timeout 120m -v -run TestAnyOrderOfCommands ./identity -rapid.checks=300
	COUNTERSIGN_SOAK=1 go test -count=1 -timeout 180m -v ./reliability

# Programs of others judge our signatures, and ours theirs: docs/interop.md. Needs Go, Python 3
# and a JDK with Maven, and downloads the judges the first time. Two minutes after that.
interop:
	go run ./interop

fuzz:
	@for target in $$(grep -rhoE 'func Fuzz[A-Za-z]+' --include=*_test.go . | awk '{print $$2}' | sort -u); do \
	  dir=$$(dirname $$(grep -rlE "func $$target\(" --include=*_test.go . | head -1)); \
	  echo "== $$dir $$target"; go test -run='^$$' -fuzz="^$$target$$" -fuzztime=$${FUZZTIME:-60s} -fuzzminimizetime=10x $$dir || exit 1; done

# Rebuild and start again; pages are compiled in, so a change needs a restart.
dev: generate demo

image:
	docker build -t countersign .

clean:
	rm -rf bin e2e/test-results e2e/playwright-report
