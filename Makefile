# `make test` is for everybody; the rest is for who works on it.

CARGO ?= cargo
PYTHON ?= python3
DIR ?= corpus
VENV := target/python

.PHONY: test tools format lint docs unit vectors corpus bench

test: tools format lint docs unit vectors ## everything that CI runs, but the corpus

tools: ## names what is missing, with the command that mends it
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it from https://rustup.rs, then run make again"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: run 'apt-get install gcc', then run make again"; exit 1; }
	@$(CARGO) fmt --version >/dev/null 2>&1 || { echo "rustfmt is missing: run 'rustup component add rustfmt'"; exit 1; }
	@$(CARGO) clippy --version >/dev/null 2>&1 || { echo "clippy is missing: run 'rustup component add clippy'"; exit 1; }

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

# cargo-nextest runs tests side by side; without it cargo's own runner does, more slowly.
unit:
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --locked; \
	else \
		$(CARGO) test --workspace --locked; \
	fi

# The frozen vectors, computed from docs/protocol.md by another program in another language.
vectors: $(VENV)/ready
	$(VENV)/bin/python proto/testdata/check.py

$(VENV)/ready: tests/corpus/requirements.txt
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing: run 'apt-get install python3-venv', then run make again"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/corpus/requirements.txt
	@touch $@

corpus: $(VENV)/ready ## reads every file below DIR, and compares with independent readers
	@test -d "$(DIR)" || { echo "there is no folder $(DIR): name one with 'make corpus DIR=...'"; exit 1; }
	$(CARGO) run --locked --release -p yiqiao-intake --example corpus -- "$(DIR)" --json target/corpus.json
	$(VENV)/bin/python tests/corpus/independent.py "$(DIR)" target/corpus.json

bench: ## figures, each beside its limit in the same run
	$(CARGO) run --locked --release -p yiqiao-journal --example append
	$(CARGO) run --locked --release -p yiqiao-host --example link_bench
	$(CARGO) build --locked --release -p yiqiao-registry --bins --examples
	target/release/examples/publish_bench
