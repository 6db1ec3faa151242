# `make` lists the targets. Everything runs in .venv, which the first target that needs it creates.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTO_BIN := .venv-proto/bin
POLICY ?= policies/security_company

.DEFAULT_GOAL := help
.PHONY: help install run test check fmt proto proto-check proto-release constraints verify bench bench-check \
	bench-engine bench-explain bench-following bench-lists bench-lists-load bench-publish bench-queries \
	bench-replica bench-store bench-workers faults history fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## install the service, its client and the development tools into .venv

$(VENV)/installed: pyproject.toml clients/python/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e clients/python -e '.[dev]'
	touch $@

run: install ## start the service, load POLICY, ask its cases and keep serving; ONCE=1 stops after them
	$(BIN)/python policies/run.py $(POLICY) $(if $(ONCE),--once)

test: check ## everything that must hold: check, then all tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --durations 15

check: install ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: install ## format and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(PROTO_BIN)/installed: proto/requirements.txt
	$(PYTHON) -m venv .venv-proto
	$(PROTO_BIN)/pip install --quiet --disable-pip-version-check -r proto/requirements.txt
	touch $@

proto: $(PROTO_BIN)/installed ## regenerate the stubs from proto/
	proto/generate.sh $(CURDIR)/$(PROTO_BIN)/python

proto-check: proto ## lint the contract, refuse breaking changes, fail if the stubs differ
	$(PROTO_BIN)/buf lint proto
	$(PROTO_BIN)/buf breaking proto --against proto/released.json
	git diff --exit-code --stat -- clients/python/authz/v1
	@test -z "$$(git ls-files --others --exclude-standard clients/python/authz/v1)"

proto-release: $(PROTO_BIN)/installed ## make today's contract the one that later changes must not break
	$(PROTO_BIN)/buf build proto -o proto/released.json

constraints: ## take the newest versions that the dependencies allow, and write them down
	rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e clients/python -e '.[dev]'
	(echo '# The versions that the tests passed with. Rewritten by: make constraints'; \
	    $(BIN)/pip freeze --exclude-editable) > constraints.txt
	touch $(VENV)/installed

VERIFY ?= --comparisons 500000 --sets 20000 --processes 2
verify: install ## compare the engines on random policies, facts and questions, and print what these were like (long)
	PYTHONPATH=tests $(BIN)/python tests/property/comparison.py $(VERIFY)
	PYTHONPATH=tests $(BIN)/python tests/property/dense_policies.py
	PYTHONPATH=tests $(BIN)/python tests/property/dense_questions.py

FAULTS ?=
faults: install ## kill, hang, stop, cut off, fill the disk, write nonsense, with the numbers that are promised (long)
	PYTHONPATH=tests:tests/store:tests/end_to_end $(BIN)/python tests/faults/faults.py $(FAULTS)

history: install ## record a million operations under faults on each database and compare them with the log (long)
	PYTHONPATH=tests/history:tests/store $(BIN)/python tests/history/history.py --database sqlite $(HISTORY)
	PYTHONPATH=tests/history:tests/store $(BIN)/python tests/history/history.py --database postgresql $(HISTORY)
	PYTHONPATH=tests/history:tests/store $(BIN)/python tests/history/new_enemy.py

bench: install ## CPU of the server for each Authorize, beside an empty echo
	$(BIN)/python benchmarks/authorize.py

bench-check: install ## what checking a policy costs when its text doubles, for hard texts of many kinds
	$(BIN)/python benchmarks/check_policy.py

bench-engine: install ## the cost of a decision, beside oso, Cedar and casbin (a quarter of an hour); QUICK=1: a minute
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/engine.py $(if $(QUICK),--quick)

# SpiceDB takes part if SPICEDB_LIBRARY_PATH names its library; benchmarks/contenders/spicedb.py says where that is.
bench-lists: install ## what lists cost beside checks and beside SpiceDB, at a million facts; QUICK=1: 50,000
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/lists.py $(if $(QUICK),--quick)

bench-queries: install ## what queries cost beside lists and checks, at a million facts; QUICK=1: 50,000
	$(BIN)/python benchmarks/queries.py $(if $(QUICK),--quick)

bench-publish: install ## what clients notice of policies that are published while they ask
	$(BIN)/python benchmarks/publish_under_load.py

bench-lists-load: install ## what clients notice of long lists that stream while they ask, and what pages cost
	$(BIN)/python benchmarks/lists_under_load.py

bench-explain: install ## what a proof costs beside the decision, with a million facts; QUICK=1: 50,000
	$(BIN)/python benchmarks/explain.py $(if $(QUICK),--quick)

bench-following: install ## what the writes of one process cost the questions at another, and when they are seen
	$(BIN)/python benchmarks/following.py

bench-store: install ## what the store costs beside bare statements, for a million facts; QUICK=1: 50,000
	PYTHONPATH=tests/store $(BIN)/python benchmarks/store.py $(if $(QUICK),--quick)

bench-replica: install ## what a start costs beside bare rows, from SQL and from the snapshot file, and memory
	PYTHONPATH=tests/store $(BIN)/python benchmarks/replica.py

bench-workers: install ## the throughput of two workers beside one
	$(BIN)/python benchmarks/workers.py

fuzz: install ## fuzz the language for an hour, guided by coverage
	$(BIN)/python tests/fuzz/fuzz_parser.py -max_total_time=3600 -timeout=20 -rss_limit_mb=4096 -max_len=4000

clean: ## remove environments, caches and the demo's database
	rm -rf $(VENV) .venv-proto .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis
