# `make report` and `make test` do everything on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.widelimit-installed
DOCS := $(VENV)/.widelimit-docs
OUT ?= reports/quick
PRESET ?= quick

.PHONY: report test doctests docs gpu gpu-wheels sweeps fuzz mutants lint types contracts bench wheel-check clean

report: $(STAMP)
	$(BIN)/widelimit validate --preset $(PRESET) --out $(OUT)

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist worksteal

# The manual, as a static site in build/docs/html; DRAFT=1 leaves tutorials and the explorer's laws out.
docs: $(DOCS)
	$(BIN)/python -m docs.manual $(if $(DRAFT),--draft) build/docs

doctests: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -q \
		--doctest-modules theory numerics validate

sweeps: $(STAMP)
	$(BIN)/python -m pytest -m "sweep or slow" --timeout 0

# Tries every public function and the command line with odd values, so many a function; findings go to fuzz.log at once.
FUZZ ?= 1000
fuzz: $(STAMP)
	WIDELIMIT_FUZZ=$(FUZZ) WIDELIMIT_FUZZ_LOG=fuzz.log $(BIN)/python -m pytest tests/fuzz

# Does any test see that one operator or number is wrong? So many of them, drawn from all floors by SEED.
MUTANTS ?= 30
SEED ?= 0
mutants: $(STAMP)
	$(BIN)/python tests/mutants/sample.py build/mutants --count $(MUTANTS) --seed $(SEED)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy theory/widelimit numerics/widelimit validate/widelimit

contracts: $(STAMP)
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m pytest tests/benchmarks --benchmark-enable --benchmark-only -o addopts="--import-mode=importlib"

# On a machine with a GPU: its tests, samples and speed against the CPU, deep claims; in eight minutes, results in OUT.
# Needs Python, torch and CUDA alone, and the wheels that `make gpu-wheels` fetches where there is a network.
BUDGET ?= 4m
WHEELS ?= wheels
gpu:
	WHEELS=$(WHEELS) $(PYTHON) .ci/gpu $(OUT) --budget $(BUDGET)

gpu-wheels:
	mkdir -p $(WHEELS)
	grep -v -i -E '^(#|torch==|widelimit)' constraints.txt > $(WHEELS)/names.txt
	$(PYTHON) -m pip download --quiet --no-deps --dest $(WHEELS) --only-binary :all: --python-version 3.12 \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
		--platform manylinux2014_x86_64 -r $(WHEELS)/names.txt

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'widelimit needs Python 3.11 or newer'"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[cluster,test]"
	touch $(STAMP)

$(DOCS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $(DOCS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
