# Every command a person or CI needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup generate build examples run demo test unit-test client-test lint format bench bench-check bench-postgres scale docs clean fuzz storm storm-nodes bench-growth bench-search bench-search-peers bench-upkeep bench-users

PYTHON := .venv/bin/python
DATA ?= var

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing (Debian packages, PyPI in .venv)
	@scripts/setup

generate: setup ## make the C and Swift code from Protos
	@scripts/skeleton
	@scripts/generate

build: generate ## build the release programs into .build/release
	swift build -c release --explicit-target-dependency-import-check error

examples: generate ## build the example packages that use the RPC stack as a library into .build/examples
	Examples/Greeter/generate
	swift build --package-path Examples/Greeter --scratch-path .build/examples --disable-index-store

run: build ## serve on 127.0.0.1:8443 (TLS) and :8080 (cleartext) with demo data under ./var
	scripts/dev-certificate $(DATA)/tls
	.build/release/octetd --listen 127.0.0.1:8080 --tls-listen 127.0.0.1:8443 \
	  --tls-certificate $(DATA)/tls/cert.pem --tls-key $(DATA)/tls/key.pem --data $(DATA) --seed-demo

demo: build ## play a whole ride with two clients over TLS, and audit it
	scripts/demo

test: lint build unit-test client-test ## run everything that CI runs

# So many tests of a run go on at the same time; without a limit all would, and starve each other. In groups all the
# same, as one server has the databases of all tests of a run.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH := 16
STORAGE_TESTS := ^StorageTests
CONFORMANCE_TESTS := ^StorageTests\..*Conformance
SEARCH_TESTS := ^StorageTests\.Search
STORE_TESTS := ^(Blobs|NATS)Tests
# The domains are those of Package.swift.
HOUSES := $(shell (echo Streaming DomainKit; awk '/^let domains = \[/,/\]$$/' Package.swift | grep -o '"[A-Za-z]*"') | \
  xargs -n5 | sed 's/ /|/g; s/.*/^(&)Tests/')

# The product of the tests alone: what else there is has been built for its own tests, in release.
unit-test: generate ## the Swift tests (debug build); those of topics and domains on both engines
	swift build --product octetPackageTests
	swift test --skip-build --skip '$(STORAGE_TESTS)' --skip '$(STORE_TESTS)' $(foreach house,$(HOUSES),--skip '$(house)')
	swift test --skip-build --filter '$(STORAGE_TESTS)' --skip '$(CONFORMANCE_TESTS)' --skip '$(SEARCH_TESTS)'
	swift test --skip-build --filter '$(CONFORMANCE_TESTS)' --skip '$(SEARCH_TESTS)'
	swift test --skip-build --filter '$(SEARCH_TESTS)'
	swift test --skip-build --filter '$(STORE_TESTS)'
	set -e; for house in $(foreach house,$(HOUSES),'$(house)'); do for engine in sqlite postgresql; do \
	  OCTET_TEST_ENGINE=$$engine swift test --skip-build --filter "$$house"; done; done

# Most of these tests wait more than they work, so some files of them run at the same time; those that measure times
# run after them. Files come in the order of their names, by which the long ones do not come last.
client-test: build examples ## the tests that drive the built programs from outside, with foreign clients
	$(PYTHON) -m pytest -q -rs --durations=20 -n 5 --dist loadfile --no-loadscope-reorder -m 'not alone' Tests
	$(PYTHON) -m pytest -q -rs --durations=20 -m alone Tests

storm: build ## kill -9 of the server and of its database under load, broken connections, a fault of the disk at every single operation
	OCTET_CRASH_ROUNDS=100 OCTET_SERVER_CRASH_ROUNDS=30 OCTET_CONNECTION_FAULT_ROUNDS=30 OCTET_FAULT_STRIDE=1 \
	  swift test --filter 'CrashTests|FaultTests'
	OCTET_CONNECTION_FAULT_ROUNDS=30 $(PYTHON) -m pytest -q -s Tests/octetd/test_connection_faults.py
	OCTET_KILL_ROUNDS=100 $(PYTHON) -m pytest -q -s Tests/Rides/test_kill.py -k SQLite
	OCTET_KILL_ROUNDS=30 $(PYTHON) -m pytest -q -s Tests/Rides/test_kill.py -k PostgreSQL
	OCTET_STORM_ROUNDS=30 $(PYTHON) -m pytest -q -s Tests/octetd/test_storm.py
	OCTET_QUEUERS=1000 $(PYTHON) -m pytest -q -s Tests/board/test_queue_restart.py
	OCTET_NOTICES=10000 $(PYTHON) -m pytest -q -s Tests/Notify/test_notices.py -k acceptance_8

storm-nodes: build ## primaries killed in every way, rolling restarts and nodes that come and go, for a quarter of an hour
	OCTET_FAILOVER_ROUNDS=5 OCTET_ROLLING_ROUNDS=10 $(PYTHON) -m pytest -q -s Tests/availability

# Tables that fail on a missed target come last, so that all is measured.
bench: build ## measure beside gRPC C++, grpcio and plain nghttp2; see docs/benchmarks.md
	@scripts/setup --benchmarks
	$(PYTHON) Tests/Benchmarks/server_figures.py
	$(PYTHON) Tests/Benchmarks/platform_figures.py --users 100000
	@rm -f .build/benchmarks/*.db*
	.build/release/storage-bench fanout --subscribers 1000 --path .build/benchmarks/fanout.db
	.build/release/storage-bench blobs --megabytes 512 --path .build/benchmarks/blobs
	status=0; .build/release/storage-bench search --documents 100000 --longest-p99 20 \
	  --path .build/benchmarks/search.db || status=1; \
	  for table in rpc_table idle_connections storage_table; do \
	  $(PYTHON) Tests/Benchmarks/$$table.py || status=1; done; exit $$status

# Filling takes most of the time. What a time-ordered id costs more than another appended row shows on SQLite.
bench-growth: build ## durable transactions with none, a million and ten million rows there, on both engines
	status=0; $(PYTHON) Tests/Benchmarks/storage_table.py --growth --seconds 2 || status=1; \
	  $(PYTHON) Tests/Benchmarks/postgres_table.py --growth --seconds 2 \
	    --kinds orders transfers "transfers, kept for ever, random request ids" || status=1; exit $$status

bench-users: build ## searches among a million users through octetd
	$(PYTHON) Tests/Benchmarks/platform_figures.py search

bench-search: build ## search in a million documents on both engines; fails if a p99 is above 20 ms
	@mkdir -p .build/benchmarks; rm -f .build/benchmarks/search-million.db*
	status=0; .build/release/storage-bench search --documents 1000000 --longest-p99 20 \
	  --path .build/benchmarks/search-million.db || status=1; \
	  $(PYTHON) Tests/Benchmarks/postgres_search.py || status=1; exit $$status

# Our index once more, so that all figures are of one machine in one state.
bench-search-peers: build ## the engines' own full text, FTS5 and tsvector, beside our index, in 100,000 documents
	@mkdir -p .build/benchmarks; rm -f .build/benchmarks/search-ours.db* .build/benchmarks/search-fts5.db*
	.build/release/storage-bench search --documents 100000 --path .build/benchmarks/search-ours.db
	.build/release/storage-bench search --documents 100000 --path .build/benchmarks/search-fts5.db --peer yes
	$(PYTHON) Tests/Benchmarks/postgres_search.py --documents 100000
	$(PYTHON) Tests/Benchmarks/postgres_search.py --documents 100000 --peer

bench-postgres: build ## durable transactions on PostgreSQL, directly and through a pooler; rows that all write
	$(PYTHON) Tests/Benchmarks/postgres_table.py
	$(PYTHON) Tests/Benchmarks/postgres_table.py --pooler
	$(PYTHON) Tests/Benchmarks/hot_rows.py

bench-upkeep: build ## what sweeps cost commits, a timer's way among a million due ones, and commits at a rate while rows are swept
	@mkdir -p .build/benchmarks; rm -f .build/benchmarks/upkeep.db* .build/benchmarks/rate.db* .build/benchmarks/swept.db*
	.build/release/storage-bench upkeep --rows 1000000 --path .build/benchmarks/upkeep.db
	.build/release/storage-bench orders --rate 40000 --callers 256 --seconds 20 --rows 1000000 --path .build/benchmarks/rate.db
	.build/release/storage-bench orders --rate 40000 --callers 256 --seconds 20 --rows 1000000 --swept 1000000 \
	  --path .build/benchmarks/swept.db

bench-check: generate ## count instructions and allocations of a call, and compare with the counts that are checked in
	@scripts/setup --benchmarks
	swift build -c release --product octet-interop
	swift build -c release --product octetd
	$(PYTHON) Tests/Benchmarks/bench_check.py

fuzz: generate ## run each libFuzzer target for FUZZ_SECONDS (60); see docs/guides/fuzzing.md
	scripts/fuzz

scale: setup ## time the build of a synthetic project of full size
	scripts/synthetic --measure

docs: setup ## write a reference of all services, messages and errors into .build/docs
	@$(PYTHON) scripts/reference

lint: generate ## formatting, proto lint, house rules; warnings are errors in every build
	scripts/lint

format: setup ## format Swift and protos in place
	swift format format -i -r Package.swift Examples $(filter-out Sources/Generated Sources/C,$(wildcard Sources/*)) Tests
	.venv/bin/buf format -w

clean: ## remove what was built and generated
	rm -rf .build Sources/Generated
