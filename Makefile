# Every target sets itself up from a bare Python >= 3.11: a virtual environment with the locked dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := data/demo

# The installer, pinned. Hashes in this order: Linux x86-64 (glibc, musl), Linux arm64 (old, new glibc), macOS arm64, macOS x86-64;
# elsewhere, or where it cannot be had, pip does the same work more slowly.
UV_VERSION := 0.13.9
UV_HASHES := \
  d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19 \
  2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25 \
  5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe \
  ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375 \
  66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63 \
  c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5
UV_PINNED := uv==$(UV_VERSION) $(addprefix --hash=sha256:,$(UV_HASHES))

PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
HAS_PIP := $(BIN)/python -m pip --version >/dev/null 2>&1
# Bytecode is written once here, not at each start.
UV_INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python

CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "als-ml needs Python 3.11 or newer, and '$(PYTHON) --version' says: $$({ $(PYTHON) --version; } 2>&1 | head -n 1)." \
    "Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }; \
  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
  echo "$(PYTHON) has no venv or no pip, so it cannot make $(VENV); on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

GET_UV = echo "$(UV_PINNED)" | $(PIP) install --require-hashes --no-deps --only-binary :all: -r /dev/stdin

# uv reads none of pip's configuration, so hand it over; what is set for uv itself comes first.
TELL_UV = settings=$$($(BIN)/python -m pip config list 2>/dev/null); \
  pip_says() { printf '%s\n' "$$settings" | sed -n "s/^[^=]*\.$$1='\(.*\)'$$/\1/p" | sed -n '1{s/\\n/ /g;p;}'; }; \
  tell() { if [ -n "$$2" ]; then eval "export $$1=\"\$${$$1:-\$$2}\""; fi; }; \
  tell UV_DEFAULT_INDEX "$$(pip_says index-url)"; \
  tell UV_INSECURE_HOST "$$(pip_says trusted-host)"; \
  tell SSL_CERT_FILE "$$(pip_says cert)"
# For installing only: hashes decide what may come in, so every source may offer every package, as with pip.
TELL_UV_MORE = tell UV_INDEX "$$(pip_says extra-index-url)"; \
  tell UV_FIND_LINKS "$$(pip_says find-links | tr -s ' ' ,)"; \
  tell UV_INDEX_STRATEGY unsafe-best-match

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-lowest mutate mutate-changed bench audit lint format \
  docs figures lock lock-wheels release clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    simulate a cohort, train both models, score it, say where to look"
	@echo "make test    run the quick tests (under 3 minutes)"
	@echo "make test-slow  servers, PostgreSQL, kills, full disks, longer fuzzing"
	@echo "make test-lowest  the quick tests with the lowest versions that pyproject.toml allows"
	@echo "make mutate  change the decision code, one place at a time: its tables must notice"
	@echo "make mutate-changed  the same for what changed since the last commit, or SINCE=COMMIT"
	@echo "make bench   measure speed and the share of the possible"
	@echo "make lint    ruff and mypy, and that the site builds"
	@echo "make audit DATABASE=PATH  known flaws of the locked packages, offline"
	@echo "make format  let ruff repair what it can"
	@echo "make docs    build the site, offline, into site/; follow every link"
	@echo "make figures write the numbers and pictures of README and docs anew, from their commands"
	@echo "make release check version, changelog and tag, then build the wheel and do the main job from it"
	@echo "make lock    make requirements.lock from pyproject.toml, keeping the versions that still fit"
	@echo "make lock-wheels  check that every locked package is there as a wheel on each platform"
	@echo "make clean   remove the environment, caches, data/demo and the local MLflow store"

setup: $(STAMP)

# The stamp goes first and comes back last: without it an installation was interrupted, and starts from an empty environment.
$(STAMP): requirements.lock pyproject.toml
	@$(CHECK_PYTHON)
	@if test -f $@ && $(HAS_PIP); then rm -f $@; echo "bringing $(VENV) up to date"; \
	else echo "setting up $(VENV) (once)"; rm -f $@; $(PYTHON) -m venv --clear $(VENV); fi
	@$(GET_UV) || echo "uv $(UV_VERSION) cannot be had here" >&2
	@$(TELL_UV); $(TELL_UV_MORE); \
	if test -x $(BIN)/uv && $(UV_INSTALL) --require-hashes --no-deps -r requirements.lock; then :; \
	else echo "without uv: pip installs instead, which takes minutes" >&2; $(PIP) install --require-hashes --no-deps -r requirements.lock; fi
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEMO)/cohort.yaml: $(wildcard als_ml/simulate/*.py) | $(STAMP)
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
	@echo "  README.md                                                    what it all means"

test: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist loadfile -q -m "not slow"

test-slow: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist loadfile -q -m slow tests

# The lowest versions that pyproject.toml allows, in an environment of their own; the site is made with the lock alone.
LOWEST := .venv-lowest
test-lowest: $(STAMP)
	@$(PYTHON) -m venv --clear $(LOWEST)
	@$(TELL_UV); $(TELL_UV_MORE); \
	$(BIN)/uv pip compile --quiet pyproject.toml --group test --all-extras --resolution lowest-direct --only-binary :all: --no-header -o $(LOWEST)/lowest.txt \
	  --python $(LOWEST)/bin/python && \
	$(BIN)/uv pip install --quiet --compile-bytecode --only-binary :all: --python $(LOWEST)/bin/python \
	  -r $(LOWEST)/lowest.txt
	@$(LOWEST)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@PATH="$(CURDIR)/$(LOWEST)/bin:$$PATH" $(LOWEST)/bin/python -m pytest -n 2 --dist loadfile -q -m "not slow" \
	  --ignore tests/test_mutants.py --ignore tests/test_site.py --ignore tools/site

mutate: $(STAMP)
	@$(BIN)/python -m benchmarks.mutate

# What changed since a commit, in at most five minutes: make mutate-changed SINCE=origin/main
SINCE ?= HEAD~1
mutate-changed: $(STAMP)
	@$(BIN)/python -m benchmarks.mutate --since $(SINCE) --seconds 270

bench: $(STAMP)
	@$(BIN)/python -m benchmarks

# Works offline: DATABASE is a copy of an advisory database in OSV's format (docs/security.md).
audit: $(STAMP)
	@$(BIN)/python -m tools.audit "$(DATABASE)"

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m tools.site

format: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Needs uv alone, not the environment, which may be the very thing that the lock is to repair.
lock:
	@$(CHECK_PYTHON)
	@$(HAS_PIP) || $(PYTHON) -m venv $(VENV)
	@$(GET_UV) || { echo "make lock needs uv $(UV_VERSION), which cannot be had here" >&2; exit 1; }
	@$(TELL_UV); $(BIN)/uv pip compile --quiet pyproject.toml --group dev --all-extras --generate-hashes --universal \
	  --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

# Asks for what each platform would install, and installs nothing. An Intel Mac would have to build `cryptography`.
WHEEL_PYTHONS := 3.11 3.12 3.13 3.14
WHEEL_PLATFORMS := x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin
lock-wheels: $(STAMP)
	@$(TELL_UV); $(TELL_UV_MORE); for python in $(WHEEL_PYTHONS); do for platform in $(WHEEL_PLATFORMS); do \
	  $(BIN)/uv pip install --quiet --dry-run --no-deps --require-hashes --only-binary :all: --target $(VENV)/no-such-place \
	    --python-version $$python --python-platform $$platform -r requirements.lock || exit 1; \
	  echo "Python $$python on $$platform: every locked package has a wheel"; done; done

docs: $(STAMP)
	@$(BIN)/python -m tools.site

figures: $(STAMP)
	@$(BIN)/python -m tools.figures

release: $(STAMP)
	@$(BIN)/python -m tools.release
	@$(BIN)/python -m pytest -q tests/test_wheel.py
	@rm -rf dist && $(BIN)/python -m pip wheel -qq --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

clean:
	rm -rf $(VENV) $(LOWEST) .site site dist $(DEMO) mlflow.db mlruns .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
