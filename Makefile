# The commands of daily work. `make` alone lists them; the work itself is in scripts/.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check soak bench-revenue bench-ledger bench-manifest bench-sync bench-runner bench-live fuzz

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: ## Build the portal (release) and start it with demo accounts; ARGS="--listen 127.0.0.1:9000" to pass options
	@scripts/demo.sh $(ARGS)

test: ## Run all tests and doctests against a throw-away PostgreSQL; installs missing test needs with apt
	@scripts/test.sh

test-all: ## Run what `make test` runs, and test and check what needs heavy dependencies: runs on Kubernetes
	@scripts/test.sh --all

check: ## Check format, lints, documentation and dependency rules
	@scripts/check.sh

bench-revenue: ## Measure the revenue engine beside DuckDB and Polars; ARGS="--entries 1000000 --stream" to pass options
	@scripts/bench-revenue.sh $(ARGS)

bench-ledger: ## Measure the ledgers beside pgbench and a bare SQLite loop; ARGS="--entries 10000000" to pass options
	@scripts/bench-ledger.sh $(ARGS)

bench-manifest: ## Measure reading manifests, and compare with python-hcl2; ARGS="PATH//modules …" for other repositories
	@scripts/bench-manifest.sh $(ARGS)

bench-sync: ## Measure syncs of a repository of 500 modules over the API of GitHub; ARGS="--number 1000" for others
	@scripts/bench-sync.sh $(ARGS)

bench-runner: ## Measure a deployment beside the bare engine; ARGS="--rounds 9 --resources 500" to pass options
	@scripts/bench-runner.sh $(ARGS)

bench-live: ## Measure the way of a log line to 200 browsers; ARGS="--watchers 1,1000 --lines 500" for others
	@scripts/bench-live.sh $(ARGS)

fuzz: ## Fuzz what reads strangers' input (nightly, cargo-fuzz); ARGS="SECONDS TARGET …"
	@scripts/fuzz.sh $(ARGS)

soak: ## Post and deploy from many processes, and kill them and their servers more than 200 times; ARGS="1000 500" for more
	@scripts/soak.sh $(ARGS)
