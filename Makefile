# `make test` is for everybody; the rest is for who works on it.

CARGO ?= cargo
PYTHON ?= python3
DIR ?= corpus
FOLDER ?= deploy/demo/run
NPM ?= npm
SEEDS ?= 40
# The province takes minutes of a whole program: 'make province'.
WORLDS := $(filter-out %/province.toml,$(wildcard simnet/world/scenarios/*.toml simnet/world/scenarios/repaired/*.toml))
COUNT ?= 1000000
VENV := target/python
PAGES := web/dist/doctor.html
# Where cargo builds, whatever the environment or its configuration says.
TARGET = $(or $(shell $(CARGO) metadata --no-deps --offline --format-version 1 2>/dev/null | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'),target)

.PHONY: demo test tools node-tools test-tools format lint docs unit vectors pages pages-check browser sweep province corpus soak bench

demo: tools pages ## a region on this machine: one registry, three hospitals, synthetic patients. FRESH=1 begins anew, FOLDER=... puts it elsewhere
	$(CARGO) build --locked --release -p yiqiao-registry -p yiqiao-node -p yiqiao-demo
	@exec "$(TARGET)/release/yiqiao-demo" --folder "$(FOLDER)" $(if $(FRESH),--fresh)

test: test-tools format lint docs pages-check pages unit vectors browser ## everything that CI runs, but the sweep and the corpus

tools: ## names what is missing, with the command that mends it
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it from https://rustup.rs, then run make again"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: run 'apt-get install gcc', then run make again"; exit 1; }

test-tools: tools
	@$(CARGO) fmt --version >/dev/null 2>&1 || { echo "rustfmt is missing: run 'rustup component add rustfmt'"; exit 1; }
	@$(CARGO) clippy --version >/dev/null 2>&1 || { echo "clippy is missing: run 'rustup component add clippy'"; exit 1; }

node-tools:
	@command -v node >/dev/null && command -v $(NPM) >/dev/null || { echo "Node.js is missing: install 20.19 or newer from https://nodejs.org (Debian 13: 'apt-get install nodejs npm'), then run make again"; exit 1; }
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || { echo "Node.js $$(node --version) is too old: install 20.19 or newer from https://nodejs.org, then run make again"; exit 1; }

format:
	$(CARGO) fmt --all --check

lint:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

# cargo-nextest runs tests side by side; without it cargo's own runner does, more slowly. SoftHSM plays the hardware module.
unit:
	@command -v storescu >/dev/null && test -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so || $(MAKE) --no-print-directory debian PACKAGES="dcmtk orthanc orthanc-dicomweb"
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v psql >/dev/null && command -v mariadbd >/dev/null && command -v mariadb >/dev/null || $(MAKE) --no-print-directory debian PACKAGES="postgresql postgresql-client mariadb-server-core mariadb-client-core"
	@test -e /usr/lib/rabbitmq/bin/rabbitmq-server && test -e /usr/sbin/nats-server || $(MAKE) --no-print-directory debian PACKAGES="rabbitmq-server nats-server"
	@test -e /usr/lib/softhsm/libsofthsm2.so || $(MAKE) --no-print-directory debian PACKAGES="softhsm2"
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --locked; \
	else \
		$(CARGO) test --workspace --locked; \
	fi

# The pages: built once, and again when their sources change.
pages: node-tools $(PAGES)

$(PAGES): web/node_modules/.ready $(wildcard web/*.html web/*.ts web/package.json) $(shell find web/src -name '*.ts' -o -name '*.tsx' -o -name '*.css' -o -name '*.svg')
	cd web && $(NPM) run --silent build
	@touch $@

web/node_modules/.ready: web/package-lock.json
	cd web && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

pages-check: node-tools web/node_modules/.ready
	cd web && $(NPM) run --silent check && $(NPM) test --silent

# The story in a real browser, on the programs that the tests were built with.
browser: pages tests/browser/node_modules/.ready
	@command -v chromium >/dev/null || $(MAKE) --no-print-directory debian PACKAGES="chromium"
	@fc-list 2>/dev/null | grep -qi 'noto.*cjk' || $(MAKE) --no-print-directory debian PACKAGES="fonts-noto-cjk fontconfig"
	$(CARGO) build --locked --workspace --all-targets
	node tests/browser/story.mjs "$(TARGET)/debug" target/browser

tests/browser/node_modules/.ready: tests/browser/package-lock.json
	cd tests/browser && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: debian
debian:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; \
	else \
		echo "missing: $(PACKAGES). Run 'sudo apt-get install $(PACKAGES)', then run make again"; exit 1; \
	fi

# The frozen vectors, computed from docs/protocol.md by another program in another language; and that the floors of the corpus fail who
# falls below them.
vectors: $(VENV)/ready
	$(VENV)/bin/python proto/testdata/check.py
	$(VENV)/bin/python node/fhir/testdata/check.py
	$(VENV)/bin/python tests/corpus/test_independent.py

$(VENV)/ready: tests/corpus/requirements.txt
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing: run 'apt-get install python3-venv', then run make again"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/corpus/requirements.txt
	@touch $@

# Optimised a little: the worlds take a tenth of the time, and what is built of others is the same.
sweep: tools ## worlds of the simulator: those that are written, SEEDS that are always the same, and as many that nobody has seen, from FROM or the clock
	CARGO_PROFILE_DEV_OPT_LEVEL=1 $(CARGO) build --locked -p yiqiao-simworld
	@failed=0; fresh="--from $${FROM:-$$(date +%s)}"; \
	for worlds in "--seeds $(SEEDS) --from 1 --cheap --written $(WORLDS)" "--seeds $(SEEDS) $$fresh --cheap" "--seeds $$(($(SEEDS) / 5)) $$fresh"; do \
		echo "again: $(TARGET)/debug/yiqiao-simnet sweep $$worlds"; \
		"$(TARGET)/debug/yiqiao-simnet" sweep $$worlds || failed=1; \
	done; exit $$failed

province: tools ## a thousand hospitals and a hundred thousand residents for a day, and how long it took
	$(CARGO) build --locked --profile whole -p yiqiao-simworld --bin yiqiao-simnet
	"$(TARGET)/whole/yiqiao-simnet" run --scenario simnet/world/scenarios/province.toml --cheap

# The programs are those that the tests were built with.
corpus: $(VENV)/ready ## sends every file below DIR through a running node, and compares with independent readers
	@test -d "$(DIR)" || { echo "there is no folder $(DIR): name one with 'make corpus DIR=...'"; exit 1; }
	$(CARGO) build --locked --workspace --all-targets
	"$(TARGET)/debug/examples/corpus" "$(DIR)" --json target/corpus.json
	$(VENV)/bin/python tests/corpus/independent.py "$(DIR)" target/corpus.json
	@if [ -d "$(DIR)/mpi" ]; then $(CARGO) run --locked --release -p yiqiao-node-core --example matching -- febrl "$(DIR)/mpi"; fi

soak: tools ## COUNT messages (a million) through a running node that is killed half-way: its counters must add up
	$(CARGO) build --locked --release -p yiqiao-registry -p yiqiao-node -p yiqiao-demo --bins --examples
	"$(TARGET)/release/examples/soak" --count $(COUNT)

bench: $(VENV)/ready ## figures, each beside its limit in the same run
	@command -v storescu >/dev/null || $(MAKE) --no-print-directory debian PACKAGES="dcmtk"
	$(CARGO) run --locked --release -p yiqiao-journal --example append
	$(CARGO) build --locked --release -p yiqiao-registry -p yiqiao-node -p yiqiao-host -p yiqiao-demo --bins --examples
	"$(TARGET)/release/examples/publish_bench"
	"$(TARGET)/release/examples/figures"
	"$(TARGET)/release/examples/revocations"
	"$(TARGET)/release/examples/feeds" --python $(VENV)/bin/python
	$(CARGO) run --locked --release --manifest-path host/upgrade-bench/Cargo.toml
