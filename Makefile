# Every command of the project. People and CI run the same ones; `make help` lists them.
#
# What is built and what is downloaded stays outside the clone, in $XDG_CACHE_HOME/starling (~/.cache/starling):
# a fresh clone finds the last one's work. `cargo build` alone works too, in ./target.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
# The steps share one target directory and, in CI, two cores.
.NOTPARALLEL:

cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/starling
export CARGO_TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),$(cache)/target))
export STARLING_TOOLS := $(cache)/tools
export PATH := $(STARLING_TOOLS)/bin:$(PATH)
# A registry that hiccups is asked again rather than failing a run of minutes.
export CARGO_NET_RETRY := 10

# The one profile of development and tests (docs/decisions/0004): what is tested is what `make dev` runs.
profile := --locked --profile ci
step := @scripts/step
# The headers of modules are maps for whoever changes the code: they link to what is private, too.
rustdoc := --deny warnings --allow rustdoc::private_intra_doc_links
buf := npx --yes @bufbuild/buf@1.75.0
client := npm --prefix clients/typescript run --silent

.PHONY: help
help: ## Lists these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Builds the binary and leaves it as ./starling
	@scripts/need compiler
	@cargo build $(profile) --bin starling
	@ln -sf "$(CARGO_TARGET_DIR)/ci/starling" starling

.PHONY: dev
dev: build ## Builds, and runs a node for development (ARGS="--port 5000")
	@exec ./starling dev $(ARGS)

.PHONY: cluster
cluster: build ## Builds, and runs three nodes on this machine; keys, certificates and data in .starling/cluster
	@scripts/need curl
	@exec scripts/cluster ./starling

.PHONY: check
check: ## Format, lints, documentation, supply chain, schema, TypeScript
	@scripts/need compiler components tools node
	$(step) "dependencies" cargo fetch --locked
	$(step) "format" cargo fmt --all --check
	$(step) "lints" cargo clippy $(profile) --workspace --all-targets -- --deny warnings
	$(step) "lints of the simulation" cargo clippy $(profile) --package starling-core --features sim --all-targets -- --deny warnings
	$(step) "documentation" env RUSTDOCFLAGS="$(rustdoc)" cargo doc $(profile) --workspace --no-deps --document-private-items
	$(step) "supply chain" cargo deny --offline --locked check bans licenses sources
	$(step) "schema" scripts/retry 100 $(buf) lint protocol
	@scripts/need client
	$(step) "TypeScript" $(client) check

# The binary is tested as it ships; the rules a second time with their simulation compiled in.
.PHONY: test
test: export STARLING_STEPS := $(CARGO_TARGET_DIR)/steps
test: ## check, then every test; installs what it needs
	@scripts/need fuzzer curl
	@scripts/step --begin
	@$(MAKE) check
	@scripts/need strace postgres
	$(step) "tests" scripts/nextest run --workspace
	$(step) "tests of the simulation" scripts/nextest run --package starling-core --features sim
	$(step) "documentation tests" cargo test $(profile) --workspace --doc
	$(step) "HTTP API against its document" scripts/fuzz-api "$(CARGO_TARGET_DIR)/ci/starling"
	@$(MAKE) chaos-short client compat browser
	@scripts/step --end "make test"

.PHONY: endurance
endurance: export STARLING_CUTS := $(or $(CUTS),100)
endurance: export STARLING_CUTS_SECONDS := $(or $(CUTS_SECONDS),120)
endurance: export STARLING_STALL_SECONDS := $(or $(STALL_SECONDS),60)
endurance: export STARLING_IDLE_DOCUMENTS := $(or $(IDLE_DOCUMENTS),1000)
endurance: export STARLING_STEPS := $(CARGO_TARGET_DIR)/steps
endurance: ## The long forms of the tests from outside: ten minutes (CUTS=, CUTS_SECONDS=, STALL_SECONDS=, IDLE_DOCUMENTS=, SEED=)
	@scripts/need compiler tools
	@$(if $(SEED),STARLING_SEED=$(SEED)) scripts/nextest run --profile endurance --package starling-mesh --test e2e $(ARGS)

.PHONY: fuzz
fuzz: ## Gives a decoder bytes that nobody would send: TARGET=document_update SECONDS=600 (fuzz/README.md)
	@scripts/need compiler cplusplus
	@exec scripts/fuzz "$(TARGET)" "$(or $(SECONDS),60)" $(ARGS)

# Both need the binary, which the tests before them have built.
.PHONY: client
client: ## Tests the TypeScript client in Node, and its package: size, entries, types
	@$(MAKE) build
	@scripts/need client
	$(step) "TypeScript package" sh -c '$(client) build && $(client) package && $(client) demo -- --check'
	$(step) "TypeScript tests" $(client) test

.PHONY: compat
compat: ## Unmodified clients of y-websocket and Hocuspocus on a cluster of three nodes, with a database
	@$(MAKE) build
	@scripts/need client postgres
	$(step) "unmodified editors" $(client) compat

.PHONY: demo
demo: ## Bundles the TypeScript client for the demo page, after a change to it
	@scripts/need client
	@$(client) build
	@$(client) demo

.PHONY: browser
browser: ## The TypeScript client in Chromium and Firefox, against the binary
	@$(MAKE) build
	@scripts/need client chromium firefox display postgres
	$(step) "tests in Chromium" sh -c '$(client) build && $(client) browser'
	$(step) "tests in Firefox" env BROWSER=firefox $(client) browser

.PHONY: simulate
simulate: ## Runs the simulation: SEED=8121 or SEEDS=100, SCENARIO=restart, ARGS=--trace
	@scripts/need compiler
	@cargo run $(profile) --package starling-core --features sim --bin simulate -- \
	    $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SCENARIO),--scenario $(SCENARIO)) $(ARGS)

.PHONY: simulate-cluster
simulate-cluster: ## The same of a cluster: SEED=97 or SEEDS=5000, ARGS="--fault no_term_check --trace"
	@scripts/need compiler
	@cargo run $(profile) --package starling-core --features sim --bin simulate-cluster -- \
	    $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

.PHONY: simulate-presence
simulate-presence: ## The same of presence: SEED=97 or SEEDS=5000, ARGS="--fault presence_no_dots --trace" or ARGS=--plants
	@scripts/need compiler
	@cargo run $(profile) --package starling-core --features sim --bin simulate-presence -- \
	    $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

.PHONY: simulate-plants
simulate-plants: ## Finds a seed for every fault that can be planted in replication
	@scripts/need compiler
	@cargo run $(profile) --package starling-core --features sim --bin simulate-cluster -- --plants

# The harness is one of development; what it kills is what ships.
chaos := $(CARGO_TARGET_DIR)/ci/chaos

.PHONY: chaos
chaos: ## Kills and cuts off real nodes under load: SCENARIO=kill-owner, KILLS=30, SEED=8121 (docs/chaos.md); takes root
	@scripts/need compiler network $(if $(filter doc-%,$(SCENARIO)),postgres)
	@cargo build $(profile) --package starling-chaos --bin chaos
	@cargo build --locked --release --bin starling
	@exec "$(chaos)" run $(or $(SCENARIO),kill-owner) --binary "$(CARGO_TARGET_DIR)/release/starling" \
	    $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: chaos-short
chaos-short: ## Four short runs of it, on the profile of the tests, with times told and not judged; part of make test
	@$(MAKE) build
	@scripts/need network postgres
	@cargo build $(profile) --package starling-chaos --bin chaos
	$(step) "nodes that are killed" "$(chaos)" run kill-owner --kills 2 --untimed --binary "$(CARGO_TARGET_DIR)/ci/starling"
	$(step) "a node that is cut off" "$(chaos)" run isolate --kills 1 --untimed --binary "$(CARGO_TARGET_DIR)/ci/starling"
	$(step) "who is there when a node is killed" "$(chaos)" run presence-kill --kills 1 --members 600 --untimed --binary "$(CARGO_TARGET_DIR)/ci/starling"
	$(step) "documents under faults" "$(chaos)" run doc-kill --kills 3 --untimed --binary "$(CARGO_TARGET_DIR)/ci/starling"

.PHONY: bench
bench: ## Measures a release build beside a null server (ARGS="--transport wt"); leave the machine alone
	@scripts/need compiler
	@cargo build --locked --release --bin starling
	@exec "$(CARGO_TARGET_DIR)/release/starling" bench fanout $(ARGS)

.PHONY: bench-docs
bench-docs: ## Types 260,000 edits into a document of a release build, through two clients (ARGS="--share 0.1"); leave the machine alone
	@scripts/need compiler client
	@cargo build --locked --release --bin starling
	@exec env STARLING_BINARY="$(CARGO_TARGET_DIR)/release/starling" $(client) bench-docs -- $(ARGS)

.PHONY: bench-presence
bench-presence: ## Measures what a crowd in one channel does to others (ARGS="--entries 1000"); leave the machine alone
	@scripts/need compiler
	@cargo build --locked --release --bin starling
	@exec "$(CARGO_TARGET_DIR)/release/starling" bench presence $(ARGS)

.PHONY: fix
fix: ## Formats, and applies what clippy can mend by itself
	@scripts/need compiler components
	@cargo clippy $(profile) --workspace --all-targets --fix --allow-dirty --allow-staged
	@cargo fmt --all

.PHONY: advisories
advisories: ## Asks the RustSec database about the dependencies; needs the network, so no part of check
	@scripts/need tools
	@cargo deny --locked check advisories
