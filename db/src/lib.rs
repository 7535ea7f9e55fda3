//! Every SQL statement of Berth, one file for each family of tables.
//!
//! How a family looks (copy `operation` when you add one):
//!
//! - free functions that take `&mut PgConnection` first, named for what they do: `insert`, `get`
//!   (an `Option`), `list`, `lock`, `set_state(from, to)`; the caller opens and commits the
//!   transaction, which holds only queries;
//! - SQL in `sqlx::query!` and friends, checked against the schema when it is built;
//! - a row struct of UUIDs and texts stays private; what leaves is in the words of `domain`;
//! - absence is `Ok(None)`, never an error; an update that must hit a row says so with
//!   [`error::one_row`]; a text that `domain` does not know is [`error::Error::Inconsistent`];
//! - no decision: which state follows which is the caller's, what the schema refuses comes back
//!   as [`error::Error::Constraint`] with the constraint's name.

pub mod allocation;
pub mod api_key;
pub mod archive;
pub mod audit;
pub mod audit_chain;
pub mod authorization_policy;
pub mod bearer;
pub mod billing;
pub mod bootstrap;
pub mod browser_session;
pub mod capacity;
pub mod catalog;
pub mod clock;
pub mod data_growth;
pub mod dead_letter;
pub mod diagram;
pub mod disposable;
pub mod error;
pub mod event;
pub mod fleet;
pub mod gpu;
pub mod id;
pub mod idempotency;
pub mod identity;
pub mod intent;
pub mod jwks_refresh;
pub mod live;
pub mod machine;
pub mod maintenance;
pub mod membership;
pub mod node;
pub mod node_health;
pub mod operation;
pub mod operation_step;
pub mod order;
pub mod organization;
pub mod outbox;
pub mod partition;
pub mod policy;
pub mod policy_change;
pub mod probe_report;
pub mod project;
pub mod project_member;
pub mod quota;
pub mod replica;
pub mod retention;
pub mod rotation;
pub mod scope;
pub mod sealed;
pub mod signing_key;
pub mod ssh_key;
pub mod stats;
pub mod terminal_session;
pub mod user;

pub use error::{Error, Result};
pub use sqlx::{PgConnection, PgPool, Postgres, Transaction};

/// The migrations under `migrations/`, built into the binary.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// The last migration that this program knows.
pub fn schema_version() -> i64 {
    let all = MIGRATOR.iter().map(|migration| migration.version);
    all.max().unwrap_or_default()
}
