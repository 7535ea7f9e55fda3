//! Harness of the integration tests: the real stack, tenants on it, and what a test needs to look
//! at it from outside.
//!
//! - [`stack()`] is the stack that all ordinary tests share; they isolate by organization.
//! - [`rough_stack()`] is a second one for tests that kill servers or plant faults; they take turns.
//! - With `BERTH_TEST_ENV=<file>` the shared stack is the one described by that `.berth/env`:
//!   the seam for stacks that somebody else runs (another machine, containers).
#![expect(
    clippy::missing_panics_doc,
    reason = "a harness panics: that is how a test fails"
)]

pub mod api;
pub mod bao;
pub mod browser;
pub mod identity_provider;
pub mod key_server;
pub mod limits;
pub mod look;
pub mod name_server;
pub mod node;
mod partitions;
pub mod planned;
pub mod replica;
pub mod scan;
pub mod scratch;
pub mod shell;
pub mod signer;
pub mod stack;
pub mod tenant;
pub mod wait;
pub mod weed;
pub mod wire;

pub use api::{Answer, Api};
pub use bao::Bao;
pub use browser::Browser;
pub use identity_provider::IdentityProvider;
pub use key_server::KeyServer;
pub use replica::Replica;
pub use stack::{Stack, rough_stack, stack};
pub use tenant::Tenant;
pub use wait::eventually;
pub use weed::Weed;
