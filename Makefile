# `make demo` and `make test` do all set-up themselves, once, and are quick when called again.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Whole files of tests, each on one of two processes.
AT_ONCE := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-fast test-engines test-faults lint docs clean

# The main job on the sample log: novel intents and domains, and how they compare with the truth.
demo: $(READY)
	rm -rf demo-output
	$(BIN)/advin discover --labeled examples/known.csv --ood examples/ood.txt \
	    --input examples/log.jsonl --output demo-output
	$(BIN)/advin evaluate --run demo-output --truth examples/truth.csv

test: $(READY)
	$(BIN)/python -m pytest $(AT_ONCE)

test-fast: $(READY)
	$(BIN)/python -m pytest $(AT_ONCE) -m "not slow and not engines"

# On Prism and a real Flink, which are brought into .engines/ once; needs Java and Maven. And what
# can be told of Dataflow and Cloud Storage without a cloud.
test-engines: $(READY)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test,gcp,engines]'
	$(BIN)/python -m pytest tests/test_dataflow.py
	$(BIN)/python -m pytest -m engines -s tests/engines --ignore tests/engines/test_faults.py

# Workers and TaskManagers of a real Flink are killed at random times.
test-faults: $(READY)
	$(BIN)/python -m pytest -m engines -s tests/engines/test_faults.py

lint: $(READY)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy schemas discovery pipelines runners

# The documentation site, in site/; a warning is an error.
docs: $(READY)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Anew whenever the dependencies change.
$(READY): setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) demo-output
