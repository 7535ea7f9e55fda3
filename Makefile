# Builds need no database: the descriptions of all queries are committed.
export SQLX_OFFLINE := true
export BERTH_DEV_DIR := $(CURDIR)/.dev
export PATH := $(PATH):$(HOME)/.cargo/bin
unexport DATABASE_URL

.PHONY: up down clean-data test check bench faults ops-data-growth-check setup test-setup build

setup:
	@scripts/setup.sh

test-setup:
	@scripts/setup.sh tests

build: setup
	@cargo build --workspace --bins --locked

up: build
	@exec target/debug/berth up $(ARGS)

down:
	@scripts/down.sh

clean-data:
	@scripts/down.sh --clean-data

test: test-setup
	@scripts/test.sh

check: test-setup
	@scripts/check.sh

bench:
	@scripts/setup.sh bench
	@cargo build --release --locked --workspace --bins --bench berth
	@BERTH_LOG=warn cargo bench --locked --workspace --bench berth -- $(NAME)
	@cat target/ci-time.txt 2>/dev/null || echo "time: .ci/run has not been run in this clone"

faults: test-setup
	@BERTH_KILLS=all BERTH_TAMPERINGS=72 scripts/test.sh faults queue partitions::killed audit_chain::tampering

ops-data-growth-check: build
	@scripts/ops/data_growth_check.sh
