//! One binary for every test that needs the real stack: one link step, one stack, tests in
//! parallel, each in organizations of its own.

mod access_scripts;
mod admin_nodes;
mod allocations;
mod api_key_rules;
mod api_keys;
mod bad_input;
mod capacity;
mod cli;
mod codec;
mod delivery;
mod dial;
mod endings;
mod faults;
mod idempotency;
mod identity;
mod idle;
mod long_life;
mod node_login;
mod openid;
mod organization_members;
mod parity;
mod policy;
mod queue;
mod rate_limits;
mod replay;
mod router;
mod sealing;
mod secret_scan;
mod signing;
mod ssh_certificates;
mod story;
mod tenancy;
mod tidy;
mod transit;
mod weak_keys;
