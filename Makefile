# Every target sets itself up from a bare Python >= 3.11: a virtual environment with the locked dependencies.
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := data/demo

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint format lock clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    simulate a cohort, train both models, score it, say where to look"
	@echo "make test    run the tests"
	@echo "make bench   measure speed and the share of the possible"
	@echo "make lint    ruff and mypy"
	@echo "make lock    renew requirements.lock"
	@echo "make clean   remove the environment, caches and everything the demo made"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "als-ml needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@rm -f $(STAMP)
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(STAMP)

$(DEMO)/cohort.yaml: $(STAMP)
	@$(BIN)/python -m als_ml simulate --patients 800 --seed 1 --output $(DEMO)

demo: $(STAMP) $(DEMO)/cohort.yaml
	@$(BIN)/python train.py --config configs/familial.yaml
	@$(BIN)/python train.py --config configs/progression.yaml
	@$(BIN)/python predict.py --model models:/als-familial@champion --model models:/als-progression@champion \
	  --cohort $(DEMO)/cohort.yaml --output $(DEMO)/predictions.csv
	@echo
	@echo "Where to look (simulated patients: machinery, not medicine):"
	@echo "  $(DEMO)/                 the cohort's files"
	@echo "  $(DEMO)/predictions.csv  one row a patient and task"
	@echo "  $(BIN)/mlflow ui --backend-store-uri sqlite:///mlflow.db     runs, curves, models"
	@echo "  $(BIN)/python -m als_ml --help                               the other commands"

test: $(STAMP)
	@$(BIN)/python -m pytest -n 2 -q

bench: $(STAMP)
	@$(BIN)/python -m benchmarks

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(STAMP)
	@$(BIN)/uv pip compile --quiet pyproject.toml --group dev --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

clean:
	rm -rf $(VENV) $(DEMO) mlflow.db mlruns .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
