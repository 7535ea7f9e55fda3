//! `berth alloc`: from the wish for GPUs to the last key removed.

mod create;
mod events;
mod extend;
mod get;
mod list;
mod receipt;
mod release;
mod retry_release;
mod ssh;
mod usage;
pub(crate) mod view;

use clap::Subcommand;

use super::exit::Result;
use super::group::Run;
use super::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Ask for GPUs
    Create(create::Args),
    /// Show one allocation: its state, its machines, how to log in
    Get(get::Args),
    /// Show the organization's allocations
    List(list::Args),
    /// Move the end of the lease
    Extend(extend::Args),
    /// Give an allocation back: access is removed and proved removed, the GPUs are free again
    Release(release::Args),
    /// Try a release that failed once more
    RetryRelease(retry_release::Args),
    /// Log in with the system's `ssh`, the machine's pinned host key checked
    Ssh(ssh::Args),
    /// Show what was handed over and prove it with the installation's published keys
    Receipt(receipt::Args),
    /// Show what happened to an allocation, oldest first
    Events(events::Args),
    /// Show the time that an allocation is billed for
    Usage(usage::Args),
}

impl Run for Verb {
    async fn run(self, session: &mut Session<'_>) -> Result {
        match self {
            Self::Create(args) => create::run(args, session).await,
            Self::Get(args) => get::run(args, session).await,
            Self::List(args) => list::run(args, session).await,
            Self::Extend(args) => extend::run(args, session).await,
            Self::Release(args) => release::run(args, session).await,
            Self::RetryRelease(args) => retry_release::run(args, session).await,
            Self::Ssh(args) => ssh::run(args, session).await,
            Self::Receipt(args) => receipt::run(args, session).await,
            Self::Events(args) => events::run(args, session).await,
            Self::Usage(args) => usage::run(args, session).await,
        }
    }
}
