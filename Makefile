# Shuqiao 数桥: everything is started from here. `make` alone shows what there is.
.DEFAULT_GOAL := help
.PHONY: help run test check lock bench-ingest bench-dags bench-matching bench-licences bench-credit bench-audit bench-bulk bench-api bench-push soak fuzz wheel clean
SHELL := /bin/sh
PYTEST ?= -n 2
bin := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

run: ## the whole hub with its demo city, until Ctrl-C; ONCE=1: one full cycle, then stop; SCALE=n: enterprises in the demo
	@tools/install.sh run
	@$(if $(SCALE),SHUQIAO_SCALE=$(SCALE)) $(bin)/shuqiao run $(if $(filter-out 0,$(ONCE)),--once)

test: ## the whole suite against real parts
	@tools/install.sh run test
	$(bin)/python -m pytest $(PYTEST)

check: ## format, lint, types, import rules, the suite, and what may differ in the built wheel
	@tools/install.sh run test check
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/python -m pytest $(PYTEST)
	tools/test_wheel.sh $(PYTEST)

lock: ## constraints.txt anew from pyproject.toml: exact versions and hashes of everything; UPGRADE=1: the newest versions
	@tools/install.sh lock
	$(bin)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	  --all-extras --group install --group lock --group test --group check \
	  --no-emit-index-url --no-emit-find-links --annotation-style line --custom-compile-command "make lock" \
	  $(if $(UPGRADE),--upgrade) --output-file constraints.txt

bench-ingest: ## a million enterprises, loaded by Shuqiao, by plain SQL and by dlt
	@tools/install.sh run bench
	$(bin)/python -m benchmarks.ingest

bench-dags: ## how long 200 manifests take to parse
	@tools/install.sh run
	$(bin)/python -m benchmarks.dags

bench-licences: ## records into licences, status changes into lists, credentials verified
	@tools/install.sh run
	$(bin)/python -m benchmarks.licences

bench-credit: ## a million enterprises evaluated, changes followed, files and reports read; ENTERPRISES, RUNS
	@tools/install.sh run
	$(bin)/python -m benchmarks.credit

bench-audit: ## what it costs to have every read on record before it is answered
	@tools/install.sh run
	$(bin)/python -m benchmarks.access_log

bench-api: ## single records of a million enterprises, authorised, logged and signed, beside a bare handler; overload; RUNS, SECONDS
	@tools/install.sh run
	$(bin)/python -m benchmarks.api

bench-bulk: ## a million enterprises exported over HTTP as NDJSON, CSV and Parquet; RECORDS
	@tools/install.sh run
	$(bin)/python -m benchmarks.bulk

bench-push: ## how soon 10,000 subscribers hear of a change while some of them are slow or dead; SUBSCRIBERS, ROUNDS, PROCESSES
	@tools/install.sh run
	$(bin)/python -m benchmarks.push

bench-matching: ## records without a code among 100,000 enterprises: whether any gets into the wrong file
	@tools/install.sh run
	$(bin)/python -m benchmarks.matching

soak: ## the tests that take minutes
	@tools/install.sh run test
	$(bin)/python -m pytest -m long

fuzz: ## the property tests with many more examples; the API's description fuzzed for half an hour
	@tools/install.sh run test
	$(bin)/python -m pytest $(PYTEST) -m "not airflow" --hypothesis-profile=fuzz
	SHUQIAO_TEST_FUZZ_SECONDS=1200 $(bin)/python -m pytest tests/description/test_fuzz.py

clean: ## remove the environment, the run state and what tools leave behind
	rm -rf .venv .run build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
