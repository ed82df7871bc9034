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
INSTALLED_BENCHMARK := $(VENV)/.installed-benchmark

.PHONY: help demo report docs test test-slurm format lint benchmark clean

help:
	@echo 'make demo     install into $(VENV) and run the embedded default: maps in results/'
	@echo 'make report   put the results of the demo into results/report.html'
	@echo 'make docs     build the documentation into site/, without the network'
	@echo 'make test     run the tests (WILDLENS_TEST_DATA: folder of real files, if you have it)'
	@echo 'make test-slurm   run the workflow on a real Slurm that is started here (root, Debian)'
	@echo 'make format   format package, tests and workflow'
	@echo 'make lint     check them'
	@echo 'make benchmark  measure beside peers, with the models of the demo, write docs/performance.md (hours)'
	@echo 'make clean    remove what the workflow made: results, the demo region'

demo: $(INSTALLED)
	$(BIN)/snakemake --cores all --resources gpu=1

report: $(INSTALLED)
	$(BIN)/snakemake --report results/report.html \
	  --report-stylesheet workflow/report/style.css

# not --quiet: it would hide from the strict build the warnings that it is to stop at
docs: $(INSTALLED_DEV)
	$(BIN)/python -m wildlens.reference > docs/settings.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

test: $(INSTALLED_DEV)
	$(BIN)/python -m pytest $(ARGS)

test-slurm: $(INSTALLED_DEV)
	$(BIN)/python -m pytest tests/slurm $(ARGS)

format: $(INSTALLED_DEV)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

benchmark: $(INSTALLED_BENCHMARK)
	$(BIN)/python -m benchmarks --classifier results/models/classifier.safetensors \
	  --generators results/models/generators.safetensors $(ARGS)

clean:
	rm -rf results resources/demo .snakemake .pytest_cache .ruff_cache

$(INSTALLED): $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "wildlens needs Python 3.11 or newer; name it: make PYTHON=python3.12 ...")'
	@echo 'Installing into $(VENV): a minute or more, 1.6 GB'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

# the STAC API by itself: among what it says it needs is a package that merely has attrs' other name
$(INSTALLED_DEV): $(INSTALLED) $(PINS)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,slurm]'
	$(BIN)/python -m pip install --quiet --no-deps stac-fastapi-geoparquet==0.0.7
	touch $@

# the peers by themselves: what they say they need would bring another torch, and torchvision
$(INSTALLED_BENCHMARK): $(INSTALLED) $(PINS)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[benchmark]'
	$(BIN)/python -m pip install --quiet --no-deps pytorch-toolbelt==0.8.0 terratorch==1.2.13
	touch $@
