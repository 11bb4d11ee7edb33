# Two commands do everything: `make demo` and `make test`. Both begin with what `make install` does, and skip what is
# already done. Needs Python 3.10+, Node 20+ and make.

PYTHON  ?= python3
PORT    ?= 8888
BROWSER ?= 1

VENV := .venv
BIN  := $(VENV)/bin
DONE := .make
JS   := $(shell find js/src -type f 2>/dev/null) js/build.mjs saliency_widget/display/colours.json

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo install test lint types test-js test-py test-browser test-hosts test-package format golden docs bench dist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install ## set up what is missing and open JupyterLab on the quickstart (PORT=8888, BROWSER=0 for no browser)
	$(BIN)/python tools/demo.py --port $(PORT) --browser $(BROWSER)

install: $(DONE)/python saliency_widget/static/widget.js ## environment, front end, package with the demo and test extras

test: lint types test-js test-py test-browser test-hosts test-package ## everything that decides whether a change may land

lint: install ## ruff, import layers, biome
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	npm run --silent lint

types: install ## mypy --strict and tsc
	$(BIN)/mypy
	npm run --silent types

test-js: install ## the front end's pure parts and its protocol
	npm run --silent test

test-py: install ## engine, models, display, widget
	$(BIN)/python -m pytest -m "not browser and not hosts and not package"

test-browser: install $(DONE)/browser ## a real Chromium against a real JupyterLab
	SALIENCY_BROWSER="$$(cat $(DONE)/browser)" $(BIN)/python -m pytest -m browser

test-hosts: install $(DONE)/browser $(DONE)/hosts/ready ## Notebook 7, marimo, pages without a kernel, and kernels of three versions
	SALIENCY_BROWSER="$$(cat $(DONE)/browser)" SALIENCY_HOSTS="$(DONE)/hosts" $(BIN)/python -m pytest -m hosts

test-package: install $(DONE)/browser $(DONE)/empty/ready ## build wheel and sdist, look inside, use the wheel in an empty environment
	SALIENCY_BROWSER="$$(cat $(DONE)/browser)" SALIENCY_EMPTY="$(DONE)/empty" $(BIN)/python -m pytest -m package

format: install ## format all code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	npm run --silent format

golden: install ## write the golden files again, after a deliberate change of a definition
	$(BIN)/python tests/golden/make.py

docs: install ## write docs/methods.md again, after a change of a method's docstring, and docs/models.md
	$(BIN)/python tools/make_docs.py
	$(BIN)/python -W ignore -m tests.architectures

bench: $(DONE)/bench ## time beside the peers, growth, accuracy for the cost, into benchmarks/ (QUICK=1: times alone, less work)
	$(BIN)/python benchmarks/compare.py $(if $(QUICK),--quick) $(if $(CLOCK),--clock $(CLOCK))
	$(if $(QUICK),,$(BIN)/python benchmarks/growth.py)
	$(if $(QUICK),,$(BIN)/python benchmarks/ig_accuracy.py)

dist: install ## wheel and sdist in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

clean: ## remove everything that was installed or built
	rm -rf $(VENV) node_modules saliency_widget/static $(DONE) dist

$(DONE)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; $(PYTHON) is older. Try make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(DONE) && touch $@

$(DONE)/node: package.json package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
		{ echo "Node 20 or newer is needed."; exit 1; }
	npm ci --no-audit --no-fund
	@mkdir -p $(DONE) && touch $@

saliency_widget/static/widget.js: $(DONE)/node $(JS)
	npm run --silent build

# The front end is built above; the build hook need not do it again.
$(DONE)/python: $(DONE)/venv pyproject.toml saliency_widget/_version.py | saliency_widget/static/widget.js
	HATCH_JUPYTER_BUILDER_SKIP_NPM=1 $(BIN)/python -m pip install --quiet --editable '.[demo,test]'
	@touch $@

$(DONE)/browser: $(DONE)/python tools/find_browser.py
	$(BIN)/python tools/find_browser.py > $@

$(DONE)/bench: $(DONE)/python
	HATCH_JUPYTER_BUILDER_SKIP_NPM=1 $(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

# Kernels of several versions, and what static pages load from a CDN.
$(DONE)/hosts/ready: tests/hosts/install.py | $(DONE)/python
	rm -rf $(DONE)/hosts
	mkdir -p $(DONE)/hosts
	$(BIN)/python tests/hosts/install.py $(DONE)/hosts
	@touch $@

# An environment that holds what the wheel asks for and a kernel, and nothing else.
$(DONE)/empty/ready: pyproject.toml | $(DONE)/python
	rm -rf $(DONE)/empty
	$(BIN)/python -m build --wheel --outdir $(DONE)/empty-wheel .
	$(PYTHON) -m venv $(DONE)/empty
	$(DONE)/empty/bin/python -m pip install --quiet $(DONE)/empty-wheel/*.whl ipykernel
	rm -rf $(DONE)/empty-wheel
	@touch $@
