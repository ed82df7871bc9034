# A fresh clone needs Python 3.11 or newer with venv, and this file: `make demo`, `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
# the workflow's jobs call `wildlens` by name
export PATH := $(BIN):$(PATH)

# files that determine what is installed; a stamp older than one of them is renewed
PINS := pyproject.toml constraints.txt
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_BENCHMARK := $(VENV)/.installed-benchmark

VENV_GPU ?= .venv-gpu

.PHONY: help demo report docs test test-slurm gpu format lint benchmark clean

help:
	@echo 'make demo     install into $(VENV) and run the embedded default: maps in results/'
	@echo 'make report   put the results of the demo into results/report.html'
	@echo 'make docs     build the documentation into site/, without the network'
	@echo 'make test     run the tests (WILDLENS_TEST_DATA: folder of real files, optional)'
	@echo 'make test-slurm   run the workflow on a real Slurm, started on this machine (root, Debian)'
	@echo 'make gpu      test and measure networks on the GPU of this machine, without GDAL: gpu.csv'
	@echo 'make format   format package, tests and workflow'
	@echo 'make lint     check their format, rules and dependencies'
	@echo 'make benchmark  compare speed and memory with other packages, with the models of the demo (hours)'
	@echo 'make clean    remove results and the demo region'

demo: $(INSTALLED)
	$(BIN)/snakemake --cores all --resources gpu=1

report: $(INSTALLED)
	$(BIN)/snakemake --report results/report.html \
	  --report-stylesheet workflow/report/style.css

# not --quiet: it would hide the warnings at which the strict build must stop
docs: $(INSTALLED_DEV)
	$(BIN)/python -m wildlens.settings.reference > docs/settings.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# a worker per core: threads of torch beside them would only take each other's time
test: $(INSTALLED_DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-slurm: $(INSTALLED_DEV)
	$(BIN)/python -m pytest tests/slurm $(ARGS)

# in an environment that keeps an installed torch; a machine without a GPU is an error
gpu:
	$(PYTHON) -m venv --system-site-packages $(VENV_GPU)
	$(VENV_GPU)/bin/python -m pip install --quiet -r envs/gpu.txt
	WILDLENS_GPU_TEST_DEVICE=cuda PYTHONPATH=src:. $(VENV_GPU)/bin/python -m pytest tests/gpu -v
	PYTHONPATH=src:. $(VENV_GPU)/bin/python benchmarks/gpu.py --output gpu.csv

format: $(INSTALLED_DEV)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow Snakefile benchmarks/method/Snakefile

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow Snakefile benchmarks/method/Snakefile
	$(BIN)/deptry src
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

# the STAC API without its dependencies: one of them is only another name of attrs
$(INSTALLED_DEV): $(INSTALLED) $(PINS)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,slurm]'
	$(BIN)/python -m pip install --quiet --no-deps stac-fastapi-geoparquet==0.0.7
	touch $@

# the peers without their dependencies, which would bring another torch, and torchvision
$(INSTALLED_BENCHMARK): $(INSTALLED) $(PINS)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[benchmark]'
	$(BIN)/python -m pip install --quiet --no-deps pytorch-toolbelt==0.8.0 terratorch==1.2.13
	touch $@
