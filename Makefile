# Every target makes its own environment in .venv from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo demo-words test lint bench docs clean

demo: $(VENV)/readers
	$(BIN)/python -m demos.checks demo --report report

demo-words: $(VENV)/words
	$(BIN)/python -m demos.words demo --page report/words.html

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -p no:benchmark

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/dev
	$(BIN)/python -m benchmarks --json docs/benchmarks.json --plot docs/benchmarks.svg \
		--page docs/performance.md $(PEERS)

# Modules of packages that name what can be imported from them, which hides the modules themselves.
NAMED := grammars recognizers/segmentation recognizers/fields recognizers/spotting
HIDDEN := $(subst /,.,$(basename $(wildcard $(addsuffix /[a-z]*.py,$(NAMED)))))

docs: $(VENV)/dev
	$(BIN)/python docs/algebra.py
	$(BIN)/python -m pdoc --docformat google --output-directory docs/_build \
		gtn gtn.testing gtn.testing.openfst grammars recognizers $(HIDDEN) demos

$(VENV)/readers: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[readers]'
	touch $@

$(VENV)/words: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[readers,words]'
	touch $@

$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable '.[dev]'
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) report build dist docs/_build *.egg-info
