# Two commands do all the set-up: `make quickstart` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

ifneq ($(wildcard ../shared/data),)
export HORNBOOK_DATA ?= $(abspath ../shared/data)
endif

.PHONY: quickstart test test-slow test-data test-browser test-gpu test-fuzz test-sanitize test-arm docs \
	clean
.PHONY: lock audit release

quickstart: .venv/installed
	$(BIN)/hornbook quickstart --out runs/quickstart $(ARGS)

test: .venv/installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

# Each set by its mark; of slow tests those that need nothing else.
MARK = $*
test-slow: MARK = slow and not data and not browser and not gpu and not fuzz
test-slow test-data test-browser test-gpu test-fuzz test-sanitize test-arm: test-%: .venv/installed-dev
	$(BIN)/python -m pytest -m "$(MARK)" || test $$? -eq 5

# What looks for barriers on pages (tests/browser/test_studio_access.py); without npm that is left out.
test-browser: build/axe

build/axe:
	npm install --prefix $@ --no-save --no-audit --no-fund --silent axe-core@4.14.1 \
		|| echo "axe-core is not to be had: its tests are skipped"

docs: .venv/installed-docs
	$(BIN)/python scripts/site.py

# What is published, and what it stands on (docs/releases.md).
lock: .venv/installed-release
	$(BIN)/python scripts/lock.py

audit: .venv/installed-release
	$(BIN)/python scripts/audit.py

release: .venv/installed-release
	$(BIN)/python scripts/release.py

.venv/installed: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@ .venv/installed

.venv/installed-docs: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

.venv/installed-release: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[release]'
	touch $@

clean:
	rm -rf .venv build site *.egg-info .mypy_cache .ruff_cache .pytest_cache
