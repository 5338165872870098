# `make` or `make help` lists the targets. Each sets up what it needs.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOMU := $(BIN)/domu
GUEST ?= web1
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench boot-test predict-test watch-test crash-test lab fuzz iso-mutations same-bytes catalogues schema rules golden lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runs ## build a sample guest from real, verified Debian media into build/web1/
	@.ci/debian-packages demo
	$(DOMU) build $(GUEST)
	@ls -l build/$(GUEST)

test: $(VENV)/.tests ## run the test suite (TESTS=tests/unit for a part)
	@.ci/debian-packages test
	$(BIN)/pytest -m 'not boot and not lab and not public' $(TESTS)

lint: $(VENV)/.tests ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.tests ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.tests ## measure against cp, cpio and gzip, bare typer, debconf; prints ratios
	@.ci/debian-packages bench
	$(BIN)/python -m tests.bench

boot-test: $(VENV)/.tests ## boot the built initrds in QEMU (some minutes, no KVM needed)
	@.ci/debian-packages boot
	$(BIN)/pytest -m boot -s tests/boot --ignore tests/boot/test_predict.py --ignore tests/boot/test_watch.py

predict-test: $(VENV)/.tests ## take answers away one at a time: the installer in QEMU asks what was predicted (an hour)
	@.ci/debian-packages boot
	$(BIN)/pytest -m boot -s tests/boot/test_predict.py

watch-test: $(VENV)/.tests ## installers in QEMU stop at a question or an error: domu tells which, within a minute (an hour)
	@.ci/debian-packages boot
	$(BIN)/pytest -m boot -s tests/boot/test_watch.py

crash-test: $(VENV)/.tests ## cut a rebuild off everywhere, and give the command again: some 500 times (ten minutes)
	@.ci/debian-packages test
	$(BIN)/python -m tests.stage --write

lab: $(VENV)/.tests ## Xen and a dom0 in QEMU: guests boot, domu is used there (as root; an hour or two)
	@.ci/debian-packages lab
	$(BIN)/pytest -m lab -s tests/lab

fuzz: $(VENV)/.tests ## ten minutes of fuzzing of everything that reads a stranger's preseed
	$(BIN)/python -m tests.fuzz --minutes 10

iso-mutations: $(VENV)/.tests ## 100,000 damaged installer images through reading, repacking and verifying (half an hour)
	@.ci/debian-packages test
	$(BIN)/python -m tests.iso_mutations --count 100000

same-bytes: $(VENV)/.tests ## installer images under every Python and pycdlib that is supported: are they the same?
	@.ci/debian-packages test
	$(BIN)/python -m tests.same_images

catalogues: $(VENV)/.runs ## fetch the questions of each suite's installer anew, for the package to ship
	$(DOMU) catalogue update --ship

schema: $(VENV)/.runs ## write the schemas in profiles/ anew
	$(DOMU) schema > profiles/schema.json
	$(DOMU) schema dom0 > profiles/dom0.schema.json

rules: $(VENV)/.runs ## write docs/rules.md anew
	$(BIN)/python -c 'from builder.preseed.lint import RULES; from builder.report.rules import rules_page; print(rules_page(RULES), end="")' > docs/rules.md

golden: $(VENV)/.tests ## write the golden files and the linter's pages anew; the diff is the review
	$(BIN)/pytest --regenerate tests/golden tests/unit/preseed/test_lint.py tests/unit/preseed/test_faults.py tests/unit/xen/doctor/test_table.py tests/unit/xen/test_boot_page.py

lock: $(VENV)/.tests ## pin every dependency anew, with hashes (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --upgrade \
	  --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --upgrade \
	  --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove what was built and fetched (the cache, too)
	rm -rf build .xenlab $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find cache -mindepth 1 ! -name .gitkeep -delete
	rm -f profiles/media.lock

# The environment, laid anew when the pinned dependencies change.
$(VENV)/.runs: requirements.lock pyproject.toml
	@.ci/debian-packages demo
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.tests: requirements-dev.lock $(VENV)/.runs
	$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
