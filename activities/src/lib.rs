//! One idempotent effect per function, implementing `contract`. What follows what is not known
//! here.

pub mod access;
pub mod allocation;
mod audit;
pub mod audit_chain;
pub mod balance;
pub mod billing;
pub mod capacity;
mod document;
mod drain;
pub mod enrollment;
pub mod health;
mod leftovers;
pub mod machine;
pub mod metering;
pub mod node;
pub mod partition;
mod probe;
mod quarantine;
mod receipt;
pub mod reconciliation;
pub mod refusal;
pub mod retention;
pub mod rotation;
pub mod step;
pub mod sweep;
