# For GNU make and FreeBSD's make alike.
#
#	make demo	show the main job on a simulated host
#	make test	ruff, mypy and the test suite, with a sample of what takes long
#	make test-all	the same with all of it: every crash point, thousands of commands side by side
#	make acceptance	run what users do on every kind of host that this machine can make
#	make bench	measure what potnet costs and write the table of docs/performance.md
#	make install	copy potnet below PREFIX, without pip; DESTDIR=DIR stages it for a package
#	make uninstall	remove exactly that again
#	make clean	remove what these made
#
# All but the last three use a virtual environment of their own, made if needed, and install again only when something
# changed. PYTHON=python3.12 picks another Python.

PYTHON = python3
PREFIX = /usr/local
DESTDIR =
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What the installed copy is made of.
INSTALLED = pyproject.toml README.md LICENSE potnet templates etc man

.PHONY: demo test test-all acceptance bench clean python venv installed test-tools checked install uninstall plist
.NOTPARALLEL:

demo: installed
	@PATH="$$PWD/$(BIN):$$PATH" sh etc/demo

# The files with few tests are those that take long, so they must not come last.
SHARED = --dist loadfile --no-loadscope-reorder

# The tests import the checkout and run the installed program: both are tried. Compiled modules are kept, even if
# the caller's set-up says otherwise: to compile them for each process is a tenth of the time of the tests.
test: checked
	PYTHONDONTWRITEBYTECODE= PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m pytest -n auto $(SHARED)

# An empty -m takes the place of the one in pyproject.toml, which leaves the slow ones out.
test-all: checked
	PYTHONDONTWRITEBYTECODE= PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m pytest -n auto $(SHARED) -m ''

# On FreeBSD pip would have to compile ruff and mypy. There they come from packages, or are left out.
checked: installed test-tools
	@PATH="$$PWD/$(BIN):$$PATH"; \
	for check in 'ruff check .' 'mypy --python-executable $(BIN)/python'; do \
	    tool=$${check%% *}; \
	    if [ "$$(uname -s)" = FreeBSD ] && ! command -v $$tool >/dev/null; then \
	        echo "skipped: $$check ($$tool is not installed)"; \
	    else \
	        echo "$$check"; $$check || exit 1; \
	    fi; \
	done

# Of a FreeBSD machine: make acceptance VIA="ssh root@host" OUTSIDE="ssh root@lan-machine". CONTRIBUTING.md says
# what it needs there. ON and ONLY choose hosts and scenarios.
VIA =
OUTSIDE =
PREPARE =
ALIAS =
SPARE =
CLEAN =
ON =
ONLY =
acceptance: installed
	PYTHONPATH=tests $(BIN)/python -m acceptance --on '$(ON)' --only '$(ONLY)' --via '$(VIA)' \
	    --outside '$(OUTSIDE)' --prepare '$(PREPARE)' --alias '$(ALIAS)' --spare '$(SPARE)' $(CLEAN:1=--clean)

# Rows that need namespaces, CNI's plugins, netavark or uplinks are left out where these are missing. The table lists them.
bench: installed
	$(BIN)/python tests/bench --json build/bench.json --text build/bench.txt --into docs/performance.md

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "potnet needs Python 3.11 or later; name one: make PYTHON=python3.11" >&2; exit 1; }

venv: python
	@test -x $(BIN)/pip || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }

# find(1) rather than prerequisites: the two kinds of make have no wildcard in common.
installed: venv
	@test -f $(VENV)/installed && \
	    test -z "$$(find $(INSTALLED) -type f ! -name '*.pyc' -newer $(VENV)/installed)" || \
	    { echo "installing potnet into $(VENV)"; $(PIP) . && touch $(VENV)/installed; }

test-tools: venv
	@test -f $(VENV)/test-tools && \
	    test -z "$$(find pyproject.toml -newer $(VENV)/test-tools)" || \
	    { echo "installing the tools of the tests"; $(PIP) '.[test]' && touch $(VENV)/test-tools; }

install: python
	@$(PYTHON) etc/install.py install "$(PREFIX)" "$(DESTDIR)"

uninstall: python
	@$(PYTHON) etc/install.py uninstall "$(PREFIX)" "$(DESTDIR)"

# The list of the port's files; tests/cli/test_cli_install.py compares it with what an install leaves.
plist: python
	@$(PYTHON) etc/install.py plist > etc/port/pkg-plist

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
