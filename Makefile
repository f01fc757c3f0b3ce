# `make run` and `make test` set everything up; nothing else has to be installed beside Python 3.11+, git and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SETUP  := $(VENV)/.installed
LOCK   := requirements.lock

.PHONY: run test check schema messages pictures faults bench lock clean

run: $(SETUP)            ## the whole hub on this machine, with stand-ins for Slack, SMTP and HTTP
	$(BIN)/hub demo

test: $(SETUP)           ## every test, in one process more than there are cores, four at most
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

check: $(SETUP)          ## style, types, layers, the schema of what users write, and the shipped configuration
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hub schema | diff -u hub/routes.schema.json -
	$(BIN)/hub check
	$(BIN)/hub test

schema: $(SETUP)         ## the JSON Schemas that editors read, written anew
	$(BIN)/hub schema > hub/routes.schema.json
	$(BIN)/hub schema --tests > hub/routes.test.schema.json

pictures: $(SETUP)       ## every built-in message and every page, into build/pictures
	$(BIN)/python -m pictures

messages: $(SETUP)       ## the table of every built-in message, written anew: read its diff
	$(BIN)/python tests/catalog/every_message.py > tests/catalog/messages.txt

faults: $(SETUP)         ## the fault tests at full length: processes killed, the database away, a full disk
	$(BIN)/python -m pytest tests/faults --full

bench: $(SETUP)          ## the figures, each as a ratio measured in one run
	$(BIN)/python -m bench

lock: $(SETUP)           ## the versions that platforms and the container install, brought up to date
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-tools
	$(BIN)/pip-compile --quiet --upgrade --extra postgres --generate-hashes --strip-extras --allow-unsafe \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--output-file $(LOCK).new pyproject.toml
	{ sed '/^[^#]/,$$d' $(LOCK); cat $(LOCK).new; } > $(LOCK).all && mv $(LOCK).all $(LOCK) && rm $(LOCK).new
	{ sed '/==/d' requirements.txt; sed -n 's/^\([^ ]*==[^ ]*\).*/\1/p' $(LOCK); } > $(LOCK).pins
	mv $(LOCK).pins requirements.txt

# From the root folder: .python-version is for platforms, and pyenv would insist on it here.
$(SETUP): pyproject.toml
	cd / && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "the hub needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	test -x $(BIN)/python || { cd / && $(PYTHON) -m venv "$(CURDIR)/$(VENV)"; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,postgres]'
	touch $(SETUP)

clean:                   ## removes what was set up
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .import_linter_cache
