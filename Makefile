# Every target works from a fresh clone with Python 3.11 or newer and nothing else prepared.
# `make PYTHON=/path/to/python3.12 demo` chooses the Python; VENV=DIR puts the environment elsewhere.

.DEFAULT_GOAL := help
.PHONY: help demo test check fix docs screenshots sbom dist lock new-connector clean
MAKEFLAGS += --no-print-directory

VENV ?= .venv
PY = "$(VENV)/bin/python"
export VENV PYTHON

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

demo: ## tell a whole incident over real HTTP against the vendor twins, then stay up (ARGS=--check: end by itself)
	@sh scripts/venv.sh runtime
	@$(PY) -m callout demo $(ARGS)

test: ## everything: format, lint, types, imports, tests on SQLite and a real PostgreSQL, browser
	@sh scripts/venv.sh dev
	@$(PY) scripts/checks.py --tests

check: ## format, lint, types and imports, without the tests
	@sh scripts/venv.sh dev
	@$(PY) scripts/checks.py

fix: ## let the formatter and the linter repair what they can
	@sh scripts/venv.sh dev
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format .

docs: ## build the documentation's site into site/, strictly
	@sh scripts/venv.sh dev
	@$(PY) -m scripts.docs_site.build

screenshots: ## take the pictures of the documents anew: a whole installation, lived through, in a real browser
	@sh scripts/venv.sh dev
	@$(PY) -m pytest --quiet -p no:randomly --timeout 300 tests/browser/pictures.py

sbom: ## list what the product is made of: sbom.cdx.json (CycloneDX) and docs/dependencies.md
	@sh scripts/venv.sh dev
	@$(PY) scripts/sbom.py

dist: ## build the wheel and the source archive into dist/
	@sh scripts/venv.sh dev
	@$(PY) scripts/dist.py

new-connector: ## start a connector: folder, twin, tests and docs page (NAME=opsgenie)
	@sh scripts/venv.sh dev
	@$(PY) scripts/new_connector.py "$(NAME)"

lock: ## pin the newest allowed versions, with hashes, in requirements/
	@sh scripts/lock.sh

clean: ## remove the environment and everything that was built
	rm -rf "$(VENV)" .lock-venv dist build site sbom.cdx.json .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
