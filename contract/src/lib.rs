//! What crosses Temporal: names and types of activities, ids of workflows, task queues and search
//! attributes. Names on the wire outlive Rust names, so each one is written out.
//!
//! Inputs and outputs are ids, numbers and small enums, never secrets and never rows.

pub mod access;
pub mod allocation;
pub mod attribute;
pub mod audit;
pub mod balance;
pub mod billing;
pub mod capacity;
pub mod failure;
pub mod health;
pub mod node;
pub mod partition;
pub mod queue;
pub mod reconciliation;
pub mod retention;
pub mod rotation;
pub mod sweep;
pub mod workflow_id;
