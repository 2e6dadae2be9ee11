# Everything that is done with this project by hand or by machine. Needs GNU make, and Python 3.11 or newer.
#   make run     a container from our own image, end to end
#   make test    the linters and the whole test suite (as root)
#   make binary  dist/moby, one file
#   make bench   the table in docs/benchmarks.md
#   make endurance  5,000 containers in a row, and what has grown
#   make endurance-networks  10,000 connects and disconnects of a running container, 1,000 networks made and removed
#   make kill-loop  ten minutes of containers and builds while processes of the engine are killed
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 3
VM ?= ../shared/vm/cgroup2-vm
# kvm or tcg (software emulation); empty: kvm where it works.
VM_ACCEL ?=
CGROUP2_TESTS ?= tests/cgroup tests/runtime

# Tests and benchmarks start the program many times: it is compiled once, also where the environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run lint test test-cgroup2 binary bench endurance endurance-networks kill-loop wire blocking manuals lock debian-test debian-bench clean

help:
	@sed -n '1,/^SHELL/{s/^# \{0,1\}//p}' Makefile

# The environment holds what `moby` needs; .dev adds what its tests need, .binary what freezes it.
$(VENV)/.run: pyproject.toml requirements.lock
	@packaging/make-venv '$(PYTHON)' $(VENV)
	@packaging/pip-install $(BIN)/python -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@packaging/pip-install $(BIN)/python -e '.[dev]'
	@touch $@

$(VENV)/.binary: $(VENV)/.run
	@packaging/pip-install $(BIN)/python -e '.[binary]'
	@touch $@

run: $(VENV)/.run
	$(BIN)/moby run --rm moby/hello
	@echo 'It works. Go on with:  $(CURDIR)/$(BIN)/moby run -it --rm alpine   or   $(CURDIR)/$(BIN)/moby tui'

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: debian-test lint $(VENV)/.binary
	@[ "$$(id -u)" = 0 ] || { echo 'the tests need root: run `make test` as root' >&2; exit 1; }
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST)

debian-test:
	@packaging/debian-install iproute2 nftables busybox-static docker-registry debootstrap skopeo podman crun runc tmux procps git objdump:binutils libseccomp2 docker:docker-cli/docker.io apparmor_parser:apparmor dockerd:docker.io umoci mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs ssh-agent:openssh-client zsh:zsh fish:fish groff:groff chromium-headless-shell
	@packaging/debian-plug-ins

# The same engine on a machine with cgroup v2 alone, in a virtual machine. VM_OUT=folder keeps what each test did (junit.xml).
test-cgroup2: debian-test $(VENV)/.dev
	@[ -x '$(VM)' ] || { echo '$(VM) is missing: name the script that starts a virtual machine with VM=...' >&2; exit 1; }
	accel=$(VM_ACCEL); out="$(VM_OUT)"; [ -n "$$out" ] || { out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; }; \
	if [ -z "$$accel" ]; then accel=tcg; if VM_OUT=$$out VM_ACCEL=kvm VM_TIMEOUT=60 '$(VM)' true >/dev/null 2>&1; then accel=kvm; fi; fi; \
	VM_OUT=$$out VM_ACCEL=$$accel '$(VM)' $(BIN)/python -m pytest -p no:cacheprovider -vv --timeout 1500 --junitxml=/vm-out/junit.xml $(CGROUP2_TESTS) $(PYTEST)

binary: dist/moby

dist/moby: $(VENV)/.binary $(shell find moby_tui packaging -type f -not -name '*.pyc')
	@packaging/debian-install objdump:binutils libseccomp2
	$(BIN)/python packaging/build.py $@

bench: debian-bench $(VENV)/.run dist/moby
	@[ "$$(id -u)" = 0 ] || { echo 'the benchmarks need root: run `make bench` as root' >&2; exit 1; }
	$(BIN)/python -m bench --write

# 5,000 containers one after another through each door: nothing of ours may grow.
endurance: debian-bench $(VENV)/.run
	$(BIN)/python -m bench.endurance

endurance-networks: debian-bench $(VENV)/.run
	$(BIN)/python -m bench.endurance --work networks --runs 10000

# Launchers, processes that stand by, monitors and the daemon are killed: only the commands whose own container they held may fail.
kill-loop: debian-bench $(VENV)/.run
	$(BIN)/python -m bench.kill_loop

debian-bench:
	@packaging/debian-install iproute2 busybox-static docker-registry dockerd:docker.io docker:docker-cli/docker.io podman crun runc containerd iptables

wire: $(VENV)/.run
	@packaging/pip-install $(BIN)/python -e '.[wire]'
	packaging/make-wire $(BIN)/python

blocking: $(VENV)/.dev
	$(BIN)/python packaging/make-blocking

manuals: $(VENV)/.run
	$(BIN)/python packaging/make-manuals dist/man/man1
	$(BIN)/python packaging/make-manuals --list docs/commands.md

# The exact versions that were tested together.
lock: $(VENV)/.dev $(VENV)/.binary
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools | LC_ALL=C sort -f > requirements.lock

clean:
	rm -rf build dist
