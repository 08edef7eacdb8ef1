# Needs Python 3.11 or later and make; everything else is installed into .venv, once.
#   PYTHON=python3.13 make test     chooses the interpreter of a new .venv
#   WORKERS=4 make test             runs the tests in more processes
#   RERUNS=0 make test              lets a test that fails fail the run at once
#   ARGS="-k expiry" make test      passes arguments on: to pytest, the demo or the benchmarks

PYTHON ?= python3
WORKERS ?= 3
RERUNS ?= 2
MINUTES ?= 15
ARGS ?=

BIN := .venv/bin
STAMP := .venv/.stamp
PLUGINS := $(wildcard plugins/*/pyproject.toml)
GUARDS := $(wildcard tests/docs tests/guide)

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types contracts guards docs pictures bench soak stress conformance clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(STAMP) ## run real flow analyses on a generated day of traffic, and serve them
	$(BIN)/python examples/demo.py $(ARGS)

test: $(STAMP) ## run the whole test suite
	@$(BIN)/python -m compileall -q -j 0 rave_core rave_backends rave_http plugins  # tests start many processes
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -raR --reruns $(RERUNS) $(ARGS)

check: lint types contracts guards docs ## everything that CI checks besides the whole suite

lint: $(STAMP) ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## check types
	$(BIN)/mypy
	$(BIN)/mypy -p rave_dask -p rave_flow -p rave_example -p rave_journal -p rave_monitor -p rave_sql -p rave_valkey -p rave_web

contracts: $(STAMP) ## check that every file imports downhill only
	$(BIN)/lint-imports

guards: $(STAMP) ## run the tests of the documentation and of the 2007 guide
	$(if $(GUARDS),$(BIN)/python -m pytest -q -raR --reruns $(RERUNS) $(GUARDS),@echo "no tests/docs and no tests/guide: nothing to run")

docs: $(STAMP) ## build the documentation into docs/_build/html; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

pictures: $(STAMP) ## make the pictures of the tutorial and of the reference again, with Chromium
	RAVE_DISABLED_PLUGINS="guestbook monitor" $(BIN)/python -m docs.pictures

bench: $(STAMP) ## run the benchmarks
	$(BIN)/python benchmarks/run.py $(ARGS)
	$(BIN)/python benchmarks/service.py $(ARGS)
	$(BIN)/python benchmarks/instructions.py
	$(BIN)/python benchmarks/log_cost.py
	$(BIN)/python benchmarks/documents.py
	$(BIN)/python benchmarks/journal.py
	$(BIN)/python benchmarks/plugins.py
	$(BIN)/python benchmarks/monitor.py
	$(BIN)/python benchmarks/dask_cluster.py
	PYTHONPATH=. $(BIN)/python benchmarks/boards.py

soak: $(STAMP) ## fifteen minutes of mixed load on a service, with reloads, edits and kills
	$(BIN)/python benchmarks/soak.py --minutes 15 $(ARGS)

stress: $(STAMP) ## fifteen minutes of processes that share a cache, with kills, forks, cycles and edits; MINUTES=1 for less; then of monitors
	$(BIN)/python tests/stress/supervisor.py $(MINUTES)
	RAVE_STRESS=1 $(BIN)/python -m pytest -q $(addprefix plugins/rave-monitor/tests/test_,killed.py rotating_writer.py stores_in_trouble.py)

conformance: $(STAMP) ## check with many more requests than the suite that the service does what its OpenAPI document says
	RAVE_CONFORMANCE=1 $(BIN)/python -m pytest -q -p no:randomly tests/http/end_to_end/live/test_conformance.py $(ARGS)

clean: ## remove what was built or cached; .venv stays
	rm -rf build dist docs/_build .demo .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -path ./.venv -prune -o -type d -name __pycache__ -exec rm -rf {} +

$(STAMP): pyproject.toml $(PLUGINS) .ci/set-up
	@PYTHON='$(PYTHON)' sh .ci/set-up $(dir $(PLUGINS))
	@touch $@
