# Everything a newcomer or a machine does with Postern. `make help` lists it.

SWIFT ?= swift
VENV := .venv
PYTHON := $(VENV)/bin/python
# Targets may import only what Package.swift lists for them.
# Tests that start servers and storms of tasks starve each other when all run at once.
PARALLEL := SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4
CHECKS := --explicit-target-dependency-import-check error

RUN_PACKAGES := libnghttp2-dev libssl-dev libp11-kit-dev libsqlite3-dev pkg-config curl
TEST_PACKAGES := $(RUN_PACKAGES) docker-compose jq libnss3 libnss3-tools opensc openssl python3-venv redis-server \
	rsyslog rsyslog-openssl softhsm2
BENCH_PACKAGES := $(TEST_PACKAGES) nghttp2-client gcc

.PHONY: help run build release test lint lint-deploy unit peers bench fuzz generate deps-run deps-test deps-bench clean

help:
	@echo "make run       build and start a development gateway, and print what to try"
	@echo "make release   build the optimised command, for production: one file, no Swift runtime needed"
	@echo "make test      install what the tests need and run all of them"
	@echo "make bench     measure, side by side with OpenBao (release build; takes a while)"
	@echo "make fuzz      run each fuzz target for FUZZ_SECONDS seconds (default 30)"
	@echo "make lint      check the format, and what deploys Postern"
	@echo "make generate  regenerate the gRPC code from proto/"
	@echo "make clean     delete what was built"

run: deps-run $(VENV)/example
	$(SWIFT) build --product postern
	exec "$$($(SWIFT) build --show-bin-path)/postern" dev

build: deps-run
	$(SWIFT) build $(CHECKS)

# One file that needs no Swift runtime where it runs.
release: deps-run
	$(SWIFT) build -c release --static-swift-stdlib --product postern

test: deps-test lint peers unit
	FUZZ_SECONDS=5 scripts/fuzz.sh

lint: lint-deploy
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

lint-deploy: deps-test $(VENV)/test
	scripts/lint-deploy.sh

unit: $(VENV)/test
	$(SWIFT) build --build-tests $(CHECKS)
	$(PARALLEL) $(SWIFT) test --skip-build

# What verifies, witnesses, timestamps and reads the audit log from outside, held to published vectors.
peers: deps-test $(VENV)/test
	$(PYTHON) -W error -m unittest discover -s Tests/AuditPeers

bench: deps-bench $(VENV)/test
	Benchmarks/run.sh

fuzz:
	scripts/fuzz.sh

generate:
	proto/generate.sh

deps-run:
	@scripts/install-packages.sh $(RUN_PACKAGES)

deps-test:
	@scripts/install-packages.sh $(TEST_PACKAGES)

deps-bench:
	@scripts/install-packages.sh $(BENCH_PACKAGES)

# One virtual environment, filled as far as each goal needs.
$(VENV)/bin/python:
	@scripts/install-packages.sh python3-venv
	python3 -m venv $(VENV)

$(VENV)/example: $(VENV)/bin/python examples/requirements.txt
	$(PYTHON) -m pip install --quiet --requirement examples/requirements.txt
	@touch $@

$(VENV)/test: $(VENV)/example Tests/requirements.txt
	$(PYTHON) -m pip install --quiet --requirement Tests/requirements.txt
	@touch $@

clean:
	rm -rf .build .build-* $(VENV)
