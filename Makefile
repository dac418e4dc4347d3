# Everything by its shortest name. Needs Python 3.11 or later and make; all else goes into .venv, from the lock files.
#
#   make run     what the draft agreement does: prints the account, writes every table to out/
#   make report  a folder for a ministry in report/: brief, memo, workbook, page, figures, tables
#   make test    format, lint, types, import directions, tests with the examples of the docs, pages
#   make bench   the speed tables
#   make docs    the documentation as pages in docs/_build
#   make lock    the lock files, after a change of dependencies (UPGRADE=--upgrade: newer releases of all)
#   make clean   removes .venv and everything that was made
#
#   make run AGREEMENT=my.yaml OUT=tables   another agreement, another folder
#   make report REPORT=brief SPEAK=it VIEW=ITA   another folder, another language, seen from a country
#   make run PYTHON=python3.13              the interpreter that .venv is made from

PYTHON ?= python3
AGREEMENT ?= plurilateral-2026
OUT ?= out
REPORT ?= report
SPEAK ?= en
VIEW ?=
UPGRADE ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
SAY := @printf '== %s\n'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run report test bench docs lock clean

help:
	@sed -n 's/^#   //p' Makefile

run: .venv/core.installed
	@$(BIN)/friendshore run $(AGREEMENT) --out $(OUT)

report: .venv/report.installed
	@$(BIN)/friendshore report $(AGREEMENT) --lang $(SPEAK) $(if $(VIEW),--view $(VIEW)) --out $(REPORT)

test: .venv/dev.installed
	$(SAY) 'format' >&2
	@$(BIN)/ruff format --check .
	$(SAY) 'lint' >&2
	@$(BIN)/ruff check .
	$(SAY) 'types' >&2
	@$(BIN)/mypy
	$(SAY) 'import directions' >&2
	@$(BIN)/lint-imports
	$(SAY) 'tests' >&2
	@$(BIN)/python -m pytest -n auto --dist loadfile
	$(SAY) 'pages' >&2
	@$(BIN)/sphinx-build -q -W --keep-going docs docs/_build

bench: .venv/bench.installed
	@set -e; for each in benchmarks/bench_*.py; do printf '== %s\n' "$$each" >&2; $(BIN)/python "$$each"; done

docs: .venv/dev.installed
	@$(BIN)/sphinx-build -q -W --keep-going docs docs/_build
	$(SAY) 'open docs/_build/index.html' >&2

# The package itself is installed in place: an edit under src/ holds at once. Hatchling comes from the lock too, so
# nothing is built with a tool that is not locked.
.venv/core.installed: requirements/core.lock pyproject.toml | .venv/bin/python
	$(SAY) 'installing the core into .venv' >&2
	@$(PIP) install --quiet --require-hashes --requirement requirements/core.lock >&2
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable . >&2
	@touch $@

.venv/dev.installed: requirements/dev.lock .venv/core.installed
	$(SAY) 'installing the tools for tests and docs into .venv' >&2
	@$(PIP) install --quiet --require-hashes --requirement requirements/dev.lock >&2
	@touch $@

.venv/report.installed: requirements/report.lock .venv/core.installed
	$(SAY) 'installing what reports are made with into .venv' >&2
	@$(PIP) install --quiet --require-hashes --requirement requirements/report.lock >&2
	@touch $@

.venv/bench.installed: requirements/bench.lock .venv/core.installed
	$(SAY) 'installing the solvers that the benchmarks compare with into .venv' >&2
	@$(PIP) install --quiet --require-hashes --requirement requirements/bench.lock >&2
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Friendshore needs Python 3.11 or later, this is {v[0]}.{v[1]}; choose another with: make run PYTHON=python3.12")'
	$(SAY) 'making .venv' >&2
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo 'On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

lock: | .venv/bin/python
	@$(PIP) install --quiet 'uv>=0.9' >&2
	@for each in 'core' 'dev --extra dev' 'bench --extra bench' 'report --extra report'; do set -- $$each; \
	  UV_CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --output-file "requirements/$$1.lock" $$2 $$3 $(UPGRADE) pyproject.toml requirements/build.in >/dev/null; done

clean:
	rm -rf .venv docs/_build out report dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
