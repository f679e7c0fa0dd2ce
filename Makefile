# Every target does its own set-up, once, in $(VENV); a second call is quick.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install -q -c constraints.txt
# Processes that share processors sleep while they wait; torch reads this when it loads.
export OMP_WAIT_POLICY ?= PASSIVE
export TOKENIZERS_PARALLELISM ?= false
# Two processes share the test files; each file stays whole.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
# Threads of numpy that wait would take the processor from the other process.
test test-slow: export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test test-slow test-engines test-faults fuzz lint docs clean

# Find novel intents and domains in the sample log, and compare them with the truth.
demo: $(VENV)/.ready
	rm -rf demo-output
	$(BIN)/advin discover --labeled examples/known.csv --ood examples/ood.txt \
	    --input examples/log.jsonl --output demo-output
	$(BIN)/advin evaluate --run demo-output --truth examples/truth.csv

# All tests but the slow ones and those of other engines, with their coverage.
test: $(VENV)/.ready
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not engines" --cov

# The whole sample, the notebook, kills, and limits of memory.
test-slow: $(VENV)/.ready
	$(BIN)/python -m pytest $(PARALLEL) -m slow

# On Prism and on a real Flink cluster, downloaded once into .engines/, plus the tests of Dataflow
# and Cloud Storage that need no cloud. Needs Java and Maven.
test-engines: $(VENV)/.ready-engines
	$(BIN)/python -m pytest tests/test_dataflow.py
	$(BIN)/python -m pytest -m engines -s tests/engines --ignore tests/engines/test_faults.py

# Kill workers and TaskManagers of a real Flink cluster at random times.
test-faults: $(VENV)/.ready-engines
	$(BIN)/python -m pytest -m engines -s tests/engines/test_faults.py

# Fuzzed inputs, of which 500 through the command line and 50 in whole runs, tampered models and
# tampered runs.
fuzz: $(VENV)/.ready
	ADVIN_FUZZ_INPUTS=10000 ADVIN_FUZZ_COMMANDS=500 ADVIN_FUZZ_WHOLE=50 \
	    ADVIN_FUZZ_MODELS=300 ADVIN_FUZZ_RUNS=100 \
	    $(BIN)/python -m pytest -s --timeout 7200 tests/fuzz

# Lint, format check and strict types.
lint: $(VENV)/.ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p advin

# The documentation site, in site/; a warning is an error.
docs: $(VENV)/.ready-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) demo-output site

# The dependencies are installed again when their versions change.
$(VENV)/.ready: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[test]'
	touch $@

$(VENV)/.ready-engines: $(VENV)/.ready
	$(PIP) -e '.[gcp,engines]'
	touch $@

$(VENV)/.ready-lint: $(VENV)/.ready
	$(PIP) -e '.[dev]'
	touch $@

$(VENV)/.ready-docs: $(VENV)/.ready
	$(PIP) -e '.[docs]'
	touch $@
