# quoin. `make` alone lists what there is to do; each target says so in its `##`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check generate package bench real prove up down images setup clean-stack

# One selection of targets for building, testing and linting: another selection would compile shared crates again.
ALL := --workspace --all-targets

help: ## List what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## Start everything, walk a quote to a completed order, stay up (Ctrl-C ends it all)
	@scripts/web build || [ $$? -eq 3 ]
	@cargo build $(ALL)
	@exec scripts/run quoin demo

test: setup ## The whole suite, with the servers and the browser it needs
	@scripts/test

check: setup ## What must hold before a commit: format, lints, tidy, dependencies, documentation
	@scripts/check

generate: setup ## Write the generated files again: query data, API documents, keyspace and event pages
	@scripts/generate

package: ## Pack the cache crates and their kernel, and build each from its archive alone
	@cargo package --locked --package quoin-kernel --package cache-ports --package cache-engine --package cache-redis

bench: ## Measure the floors and the product beside each other: make bench ARGS="--only S1"
	@scripts/bench $(ARGS)

real: setup ## Prove it on real invoices: make real DATA=online-retail.csv.gz
	@test -n "$${DATA:-}" || { echo 'make real: name the file of invoices, e.g. make real DATA=online-retail.csv.gz' >&2; exit 2; }
	@test -r "$$DATA" || { echo "make real: cannot read $$DATA" >&2; exit 2; }
	@cargo build --release --package quoin
	@exec scripts/run --release quoin real "$$DATA"

prove: setup ## Prove it under faults at full length (about two hours) and write docs/proofs.md
	@scripts/prove $(ARGS)

up: setup ## Deploy with one container a service behind one entry (deploy/compose.yaml)
	@scripts/compose up

down: ## Remove that deployment and its data
	@scripts/compose down

images: ## Build PostgreSQL, Redis, Kafka and nginx images where none can be pulled
	@deploy/local-images/build

setup: ## Install what is missing, or name it
	@scripts/setup

clean-stack: ## End the servers tests share
	@scripts/run dev-stack down
