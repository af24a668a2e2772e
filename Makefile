PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
# For each door that damaged files are tried on.
FUZZ_SECONDS ?= 600
# One thread a process: the networks of the tests are too small to share.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal
COVERAGE := $(if $(CI),--cov --cov-report=term:skip-covered)

.PHONY: demo test units slow lint types docs dist release sbom clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("semiqc needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
# torch first: its local build must stand before anything asks for a newer one.
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $(STAMP)

demo: $(STAMP)  ## A dirty pool of phantoms, with quality control and without, in a few minutes
	$(BIN)/semiqc run --output demo

test: $(STAMP) lint  ## Lint, then type-check and test side by side; where CI is set, with coverage
	$(MAKE) --jobs 2 types units

units: $(STAMP)
	$(PYTEST) $(COVERAGE)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy

slow: $(STAMP)  ## Tests of minutes: the README's run, resuming after kills, a fuzz of every door
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(PYTEST) -m slow

docs: $(STAMP)  ## The documentation as pages in site/, without a warning
	$(BIN)/python docs/generate.py
	$(BIN)/python -m pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(STAMP)  ## Wheel and source distribution
	rm -rf dist
	$(BIN)/python -m hatchling build --directory dist
	$(MAKE) sbom

sbom: $(STAMP)  ## What the installation holds: CycloneDX and a list of licences, in dist/
	$(BIN)/python release/sbom.py dist

release: dist  ## Each installed alone, in an environment of its own, makes the demo's run
	for package in dist/semiqc-*.whl dist/semiqc-*.tar.gz; do \
	    release/try.sh $(PYTHON) "$$package" constraints.txt || exit 1; done

clean:
	rm -rf $(VENV) demo site dist
