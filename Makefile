export SQLX_OFFLINE := true

.PHONY: up down clean-data test check bench faults setup build

setup:
	@scripts/setup.sh

build: setup
	@cargo build --workspace --bins --locked

up: build
	@exec target/debug/berth up

down:
	@target/debug/berth down

clean-data: down
	@target/debug/berth clean-data

test: setup
	@scripts/test.sh

check: setup
	@scripts/check.sh

bench: setup
	@cargo build --release --locked --workspace
	@cargo bench --locked -p tests --bench berth -- $(NAME)

faults: setup
	@scripts/test.sh faults queue
