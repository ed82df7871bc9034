# A fresh clone needs Python 3.11 or newer with venv, and this file: `make demo`, `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
# the workflow's jobs call `wildlens` by name
export PATH := $(BIN):$(PATH)

# files that say what is installed; a stamp older than they are is made anew
PINS := pyproject.toml constraints.txt
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.PHONY: help demo report docs test format lint clean

help:
	@echo 'make demo     install into $(VENV) and run the embedded default: maps in results/'
	@echo 'make report   put the results of the demo into results/report.html'
	@echo 'make docs     build the documentation into site/, without the network'
	@echo 'make test     run the tests (WILDLENS_TEST_DATA: folder of real files, if you have it)'
	@echo 'make format   format package, tests and workflow'
	@echo 'make lint     check them'
	@echo 'make clean    remove what the workflow made: results, the demo region'

demo: $(INSTALLED)
	$(BIN)/snakemake --cores all --resources gpu=1

report: $(INSTALLED)
	$(BIN)/snakemake --report results/report.html \
	  --report-stylesheet workflow/report/style.css

docs: $(INSTALLED_DEV)
	$(BIN)/python -m wildlens.reference > docs/settings.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

test: $(INSTALLED_DEV)
	$(BIN)/python -m pytest $(ARGS)

format: $(INSTALLED_DEV)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

clean:
	rm -rf results resources/demo .snakemake .pytest_cache .ruff_cache

$(INSTALLED): $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "wildlens needs Python 3.11 or newer; name it: make PYTHON=python3.12 ...")'
	@echo 'Installing into $(VENV): a minute or more, 1.6 GB'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(INSTALLED_DEV): $(INSTALLED) $(PINS)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@
