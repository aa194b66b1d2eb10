# One screen of verbs. `make deploy` and `make test` are the two that the README names.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PYTHON ?= python3
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Images for containers set it, and each of some thousand processes would compile this tree anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: $(STAMP) ## .venv with exotel-ws, exotelctl and ansible-playbook in it

$(STAMP): pyproject.toml requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $$($(PYTHON) --version) is too old, Python 3.11 or newer is needed: make venv PYTHON=/usr/bin/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || scripts/apt-need python3-venv
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

deploy: root venv ## one lab host on this machine, the server on it, proven by a call (root)
	ansible-playbook playbooks/lab.yml -i inventory/lab
	ansible-playbook deploy.yml -i inventory/lab

clean-lab: root venv ## every trace of the lab: hosts, network, files (root)
	ansible-playbook playbooks/lab.yml -i inventory/lab -e lab_host_state=absent -e lab_host_purge=true

PARTS := ruff format mypy mypy-tests mypy-plugins ansible-lint sanity unit protocol floods providers lab-hosts lab-ai

test: root venv ## lint, unit, protocol and lab tests (root): all parts, the red ones named at the end
	scripts/parts $(PARTS)

check: venv ## for every save, in a minute: ruff, mypy --strict, pure tests without the slow ones
	scripts/parts ruff format mypy quick

lint: venv ## ruff, mypy --strict, ansible-lint production, ansible-test sanity
	scripts/parts ruff format mypy mypy-tests mypy-plugins ansible-lint sanity

ruff: venv
	ruff check .

format: venv
	ruff format --check .

mypy: venv
	mypy
	mypy --scripts-are-modules roles/edge/files/{acme,certificate,loading}

mypy-tests: venv
	mypy --explicit-package-bases benchmarks tests/lab tests/providers

mypy-plugins: venv
	MYPYPATH=collections:. mypy --ignore-missing-imports --explicit-package-bases --namespace-packages --follow-imports=silent \
	  collections/ansible_collections/exotel/voicebot/plugins/{*,module_utils/gcp}/*.py tests/modules/{*,compute/*}.py

ansible-lint: venv
	ansible-lint --offline

sanity: venv
	scripts/sanity

unit: venv ## pure tests: no network, no root
	pytest tests/unit tests/modules -n 2 --dist loadfile

quick: venv
	pytest -q tests/unit tests/modules -n 2 --dist loadfile -m "not slow"

protocol: venv voices ## the server on both engines, and the tools, over loopback
	pytest tests/protocol tests/tools_live -n 2 --dist loadfile -m "not alone"

floods: venv ## attacks and thousands of sockets against the server; nothing runs beside them
	pytest tests/protocol tests/tools_live -m alone

providers: venv voices ## AI mode's providers, and its speech
	pytest tests/providers tests/speech -n 2 --dist loadfile

voices: ## callers for the tests of AI mode: voices that are not the bot's, and people (root, once)
	@command -v flite && command -v espeak-ng && dpkg -s pocketsphinx-testdata >/dev/null 2>&1 || \
	  scripts/apt-need flite espeak-ng pocketsphinx-testdata

lab: root venv ## deploys, rollbacks and faults on real hosts (root)
	scripts/parts lab-hosts lab-ai

lab-hosts: root venv # files in the order of their names: xdist's own would begin those of one long test last
	pytest tests/lab --timeout 900 -n 2 --dist loadscope --no-loadscope-reorder --ignore tests/lab/test_ai.py

lab-ai: root venv voices # by itself: people talk, and are not kept waiting by others' deploys
	pytest tests/lab/test_ai.py --timeout 900

bench: venv ## our server beside Node ws, in one run; writes docs/performance.md
	@command -v node npm >/dev/null || scripts/apt-need nodejs npm
	python -m benchmarks

bench-attacks: venv ## a live call beside each attack, before the bounds and with them; writes docs/performance.md
	python -m benchmarks.attacks

bench-edge: root venv ## 100 wss calls beside floods of the edge, in network namespaces; writes docs/performance.md (root)
	@command -v debootstrap >/dev/null || scripts/apt-need debootstrap debian-archive-keyring
	python -m benchmarks.edge

bench-deploy: root venv ## how long deploys take, with the edge and without, on lab hosts; writes docs/performance.md (root)
	python -m benchmarks.deploy

bench-ai: venv voices ## AI mode beside pipecat's own path to Exotel, in one run; writes docs/performance.md
	python -m benchmarks.ai

soak: venv ## 1,000 calls to a worker in AI mode, a third of its services failing: nothing is left of them
	SOAK_CALLS=1000 pytest -s tests/protocol/test_ai_soak.py

fuzz: venv ## what strangers may send, tried for minutes instead of seconds
	HYPOTHESIS_PROFILE=fuzz pytest tests/unit/server/fuzz -n 2 --timeout 3600

lock: ## renew requirements/*.lock (hashes, no index address)
	scripts/lock

root:
	@[ "$$(id -u)" = 0 ] || { echo "make: this target builds lab hosts and needs root: sudo make $(MAKECMDGOALS)" >&2; exit 1; }

.PHONY: help venv deploy clean-lab test check quick lint $(PARTS) voices lab bench bench-attacks bench-edge bench-deploy bench-ai soak fuzz lock root
