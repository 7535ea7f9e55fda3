//! One binary for every test that needs the real stack: one link step, one stack, tests in
//! parallel, each in organizations of its own.

mod admin_nodes;
mod allocations;
mod api_keys;
mod bad_input;
mod capacity;
mod cli;
mod dial;
mod idempotency;
mod identity;
mod idle;
mod parity;
mod router;
mod ssh_certificates;
mod tenancy;
mod tidy;
