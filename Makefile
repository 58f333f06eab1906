# The targets that people and CI call. Everything is installed into .venv in this folder.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup scaling test test-fast lint bench browser torture clean

setup: .venv/.ready

# torch comes first and pinned: an unpinned one pulls gigabytes of CUDA packages on Linux.
.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or later is needed"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

scaling: setup
	$(BIN)/python -m study.run scaling --preset quick --resume

# While you work: no Ray, no browser, nothing slow, under 2 minutes on 2 cores.
test-fast: setup
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not slow and not ray and not browser"

# Everything, within 20 minutes on 2 cores.
test: setup lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The report's page is driven in a Chromium where one can be had; without one those tests are skipped and say so.
browser: setup
	@command -v chromium || command -v chromium-browser || command -v google-chrome \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } \
	  || timeout 300 $(BIN)/python -m playwright install chromium \
	  || echo "no Chromium could be installed: the tests that drive the report's page will be skipped"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks.trainer_speed
	$(BIN)/python -m benchmarks.trial_memory
	$(BIN)/python -m benchmarks.encode_speed
	$(BIN)/python -m benchmarks.search_speed
	$(BIN)/python -m benchmarks.start_up

# The long form of the tests of faults: about an hour on 2 cores.
CORPUS ?= kalman
MINUTES ?= 25
torture: setup
	$(BIN)/python -m benchmarks.torture --corpus $(CORPUS) --minutes $(MINUTES)
	$(BIN)/python -m benchmarks.fuzz --cases 100000 --minutes $(MINUTES) --processes 2

clean:
	rm -rf .venv build dist *.egg-info
