# Two commands: `make demo` and `make test`. Each sets itself up on a fresh machine; a second run installs nothing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# As many test files at a time as WORKERS, each on one thread; a file's tests stay together, and a notebook is a file.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Unsloth in a folder beside the packages of .venv, where tests for machines without it would meet it.
UNSLOTH := .venv/unsloth
TEST_UNSLOTH := PYTHONPATH="$(CURDIR)/$(UNSLOTH)" $(PYTEST) tests/unsloth_cpu

.PHONY: demo test test-unsloth test-nightly test-fast test-colab notebooks recorded site lint audit clean

demo: .venv/notebook.done
	$(BIN)/motif demo --out runs/demo

test: .venv/test.done .venv/browser.done $(UNSLOTH).done
	$(PYTEST) tests --ignore=tests/unsloth_cpu -m "not nightly"
	$(TEST_UNSLOTH)
	$(PYTEST) --nbval --nbval-current-env --nbval-cell-timeout=600 \
	  --nbval-sanitize-with=tests/sanitize.cfg $$(ls -r notebooks/*.ipynb)  # the last take longest: they go first

# The real Unsloth on a CPU.
test-unsloth: .venv/test.done $(UNSLOTH).done
	$(TEST_UNSLOTH)

# The longest ones: the site, kills at random moments, whole demos twice, two machines, a GPU's day in small.
test-nightly: .venv/test.done .venv/browser.done
	$(PYTEST) tests --ignore=tests/unsloth_cpu -m nightly

test-fast: .venv/test.done
	$(PYTEST) tests -m "not slow and not browser"

# Every notebook as Colab has it: COLAB_LIST is pip-freeze.txt of github.com/googlecolab/backend-info, COLAB_PYTHON a
# Python of Colab's version. Some ten minutes after an installation of 6 GB; for every night.
COLAB_LIST ?= pip-freeze.txt
COLAB_PYTHON ?= python3.13
test-colab: .venv/test.done
	$(BIN)/python tests/colab_twin.py $(COLAB_LIST) --python $(COLAB_PYTHON)

notebooks: .venv/test.done
	$(BIN)/python -m motif_lib.classroom.build_notebooks build

# The runs that the notebooks show, made again: some two and a half hours on two CPU cores; what was stopped goes on.
recorded: .venv/notebook.done
	$(BIN)/motif demo --out runs/demo
	$(BIN)/motif experiment --out runs/experiment --seeds 3
	for grid in questions losses longer notes; do $(BIN)/motif ablate $$grid --out runs/$$grid --seeds 4 || exit; done
	$(BIN)/python -m motif_lib.studies.recorded runs

# The executed notebooks, the teacher's kit and the API as a static site in build/site; a warning is an error.
site: .venv/test.done
	HF_HUB_OFFLINE=1 $(BIN)/python -m sphinx -W --keep-going -q -c docs . build/site

lint: .venv/dev.done
	$(BIN)/ruff check motif_lib tests notebooks docs conftest.py
	$(BIN)/ruff format --check motif_lib tests docs conftest.py
	$(BIN)/mypy

# Known vulnerabilities of the pinned versions, as PyPI lists them: needs a network. A version that PyPI knows nothing
# of is an error too (--strict), so that an index without these data does not pass for a clean bill.
audit: .venv/dev.done
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip -r constraints.txt

clean:
	rm -rf .venv runs

.venv/bin/python:
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'Python 3.11 or newer is needed; set PYTHON=...'"
	$(PYTHON) -m venv .venv

.venv/notebook.done: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e ".[notebook]"
	touch $@

.venv/test.done: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e ".[test]"
	touch $@

.venv/dev.done: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e ".[dev]"
	touch $@

# The real Unsloth, for tests/unsloth_cpu: 75 MB, and none of what it would bring along for a GPU. Where it cannot be
# had, one line says so, the suite is skipped, and the next call tries again.
$(UNSLOTH).done: .venv/bin/python tests/unsloth_cpu/requirements.txt
	@rm -rf $(UNSLOTH) $@
	@said=$$($(PIP) --no-deps --target $(UNSLOTH) -r tests/unsloth_cpu/requirements.txt 2>&1) && touch $@ || \
	  echo "Unsloth does not install here, its tests will be skipped: $${said##*ERROR: }"

# A Chromium for the widget tests: Debian's, where this user may install it; without one those tests are skipped.
.venv/browser.done: .venv/bin/python
	@command -v chromium chromium-browser google-chrome > /dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium > /dev/null; } || \
	  echo "No Chromium: the browser tests will be skipped (Debian: apt-get install chromium)."
	touch $@
