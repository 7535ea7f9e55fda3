//! The rules of Berth, pure: no async, clock, randomness or I/O.
//!
//! Everything here can be tested with a table of cases. What the database must also refuse
//! (transitions, one GPU one allocation) stands here first and is compared with the schema by
//! a test.
#![warn(clippy::float_arithmetic, clippy::wildcard_enum_match_arm)]

pub mod api_key;
pub mod audit_chain;
pub mod balance;
pub mod billing;
pub mod browser_session;
pub mod client_address;
pub mod data_growth;
pub mod envelope;
pub mod event;
pub mod funds;
pub mod guard;
pub mod health;
pub mod id;
pub mod inventory;
pub mod jwt;
pub mod label;
pub mod lease;
pub mod ledger;
pub mod money;
pub mod name;
pub mod net_guard;
pub mod object_path;
pub mod operation;
pub mod partition;
pub mod placement;
pub mod policy;
pub mod quota;
pub mod rate;
pub mod reason;
pub mod reconciliation;
pub mod retention;
pub mod role;
pub mod rotation;
pub mod signed_document;
pub mod signing_key;
pub mod ssh_public_key;
pub mod state;
pub mod ticket;
pub mod unix_user;
